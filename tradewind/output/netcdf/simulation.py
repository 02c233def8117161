"""A forward run as a CF dataset.

Every number of `simulation_dataset` is the same, bit for bit, for any number of ranks, and whether or not
the run was broken off and went on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from tradewind.output import files
from tradewind.output.fit import STAGE, array, compared, observed_units
from tradewind.output.netcdf.attributes import described
from tradewind.output.netcdf.coordinates import (
    Variables,
    auxiliary_names,
    clock,
    dimensions,
    grid_coordinates,
    periods,
    places,
    times,
    variable,
)
from tradewind.output.netcdf.ledger import ledger_variables
from tradewind.output.netcdf.performance import performance_dataset

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid
    from tradewind.results import FieldSeries, SimulationResult


def write_simulation(result: SimulationResult, path: Path) -> None:
    """Write `simulation_dataset` and, as the group ``performance``, who answered, to `path`.

    Raises
    ------
    DataError
        When the file cannot be written; nothing is then left behind.
    """
    files.write_netcdf(
        simulation_dataset(result), path, {"performance": performance_dataset(result.name, result.calls)}
    )


def simulation_dataset(result: SimulationResult) -> xr.Dataset:
    """Return a forward run as a CF dataset.

    The ledger lies on ``period, exchange``, what was seen and simulated on ``observation``, fields on
    ``time`` and the dimensions of their grids: a second grid's are called ``lat_2, lon_2``, and so on.
    """
    data, coords = ledger_variables(result.budgets) if result.budgets else ({}, {})
    coords |= periods("window", "window", result.windows, "end of the window")
    for found, where in (_observed(result), _fields(result)):
        data, coords = data | found, coords | where
    title = f"Forward run: {result.name}"
    return xr.Dataset(data, coords=coords, attrs=described(title, result.provenance, result.notes))


def _observed(result: SimulationResult) -> tuple[Variables, Variables]:
    if not result.observations:
        return {}, {}
    comparison = compared(result)
    units, what = observed_units(result), str(result.provenance.get("observed", "observation"))
    columns = {
        "y": (comparison.y, what),
        "y_sigma": (comparison.sigma, f"standard error of {what}"),
        "y_simulated": (comparison.simulated[STAGE], f"{what}, simulated"),
    }
    out = {name: variable("observation", values, units, long) for name, (values, long) in columns.items()}
    out["y"].attrs["ancillary_variables"] = "y_sigma"
    window = comparison.window
    out["window_of_observation"] = variable("observation", window, "", "window", "index along window")
    return out, places(comparison.coordinates)


def _fields(result: SimulationResult) -> tuple[Variables, Variables]:
    if not result.fields:
        return {}, {}
    suffixes = _suffixes(result.fields)
    moments = times(result.fields[0].times)
    attrs = {"standard_name": "time", "long_name": "end of the step", "axis": "T"}
    coords: Variables = {"time": xr.Variable("time", moments, attrs, encoding=clock(moments))}
    for series in result.fields:
        grid = series.variable.grid
        if grid is not None:
            coords |= grid_coordinates(grid, suffixes[grid.fingerprint])
    names = _names([series.port for series in result.fields])
    data = {name: _field(s, suffixes) for name, s in zip(names, result.fields, strict=True)}
    return data, coords


def _suffixes(fields: Sequence[FieldSeries]) -> dict[str, str]:
    """Return, by grid, what tells its dimensions from those of the others."""
    grids = dict.fromkeys(s.variable.grid.fingerprint for s in fields if s.variable.grid is not None)
    return {grid: f"_{number}" if number > 1 else "" for number, grid in enumerate(grids, start=1)}


def _names(ports: Sequence[str]) -> list[str]:
    """Return names that netCDF tools accept, such as ``transport_methane`` for ``transport.methane``."""
    plain = [re.sub(r"\W", "_", port) for port in ports]
    count = Counter(plain)
    return [f"{name}_{i}" if count[name] > 1 else name for i, name in enumerate(plain)]


def _field(series: FieldSeries, suffixes: dict[str, str]) -> xr.Variable:
    declared = series.variable
    extra = tuple(f"{series.port.replace('.', '_')}_{name}" for name, _ in declared.extra)
    sizes = tuple(length for _, length in declared.extra)
    dims, shape, encoding = *_place(declared.grid, suffixes), {}
    if declared.grid is not None and (
        names := auxiliary_names(declared.grid, suffixes[declared.grid.fingerprint])
    ):
        encoding = {"coordinates": names}
    values = array(series.values).reshape(len(series.times), *sizes, *shape)
    more = {"cell_methods": declared.cell_methods}
    found = variable(("time", *extra, *dims), values, declared.units, series.port, **more)
    found.encoding.update(encoding)
    return found


def _place(grid: Grid | None, suffixes: dict[str, str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if grid is None:
        return (), ()
    return dimensions(grid, suffixes[grid.fingerprint]), tuple(grid.shape)
