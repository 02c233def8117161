"""A forward run as a CF dataset.

Every number of `simulation_dataset` is the same, bit for bit, for any number of ranks, and whether or not
the run was broken off and went on.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from tradewind.output import files
from tradewind.output.fit import STAGE, array, compared, observed_units
from tradewind.output.netcdf.attributes import described
from tradewind.output.netcdf.coordinates import (
    Variables,
    clock,
    periods,
    places,
    times,
    variable,
)
from tradewind.output.netcdf.ledger import ledger_variables
from tradewind.output.netcdf.performance import performance_dataset
from tradewind.output.netcdf.placing import Placing, plain_names

if TYPE_CHECKING:
    from tradewind.results import SimulationResult


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
    placing = Placing(series.variable.grid for series in result.fields)
    moments = times(result.fields[0].times)
    attrs = {"standard_name": "time", "long_name": "end of the step", "axis": "T"}
    coords: Variables = {"time": xr.Variable("time", moments, attrs, encoding=clock(moments))}
    names = plain_names([series.port for series in result.fields])
    data = {
        name: placing.field(s.port, s.variable, array(s.values), ("time",))
        for name, s in zip(names, result.fields, strict=True)
    }
    return data, coords | placing.coordinates
