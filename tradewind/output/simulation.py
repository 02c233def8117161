"""A forward run as a CF dataset, a table and a summary.

Every number of `simulation_dataset` is the same, bit for bit, for any number of ranks, and whether or not
the run was broken off and went on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr
from rich.console import Group
from rich.text import Text

from tradewind.budget import Budget
from tradewind.output import files, words
from tradewind.output.coordinates import (
    Variables,
    auxiliary_names,
    clock,
    dimensions,
    grid_coordinates,
    periods,
    times,
    variable,
)
from tradewind.output.dataset import described, performance_dataset, places
from tradewind.output.fit import Comparison, array, laid_out
from tradewind.output.ledger import ledger_table, ledger_variables

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradewind.couplers.grids import Grid
    from tradewind.results import FieldSeries, SimulationResult

STAGE = "simulated"


def compared(result: SimulationResult) -> Comparison:
    """Lay out the observations of `result` beside what was simulated."""
    simulated = {window: {STAGE: values} for window, values in result.simulated.items()}
    return laid_out(result.windows, result.observations, simulated, (STAGE,))


# ---------------------------------------------------------------------- file
def write_simulation(result: SimulationResult, path: Path) -> None:
    """Write `simulation_dataset` and, as the group ``performance``, who answered, to `path`.

    Raises
    ------
    DataError
        When the file cannot be written; nothing is then left behind.
    """
    files.write_netcdf(simulation_dataset(result), path, {"performance": performance_dataset(result)})


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
    units, what = _observed_units(result), str(result.provenance.get("observed", "observation"))
    columns = {
        "y": (comparison.y, what),
        "y_sigma": (comparison.sigma, f"standard error of {what}"),
        "y_simulated": (comparison.simulated[STAGE], f"{what}, simulated"),
    }
    out = {name: variable("observation", values, units, long) for name, (values, long) in columns.items()}
    out["y"].attrs["ancillary_variables"] = "y_sigma"
    window = comparison.window
    out["window_of_observation"] = variable("observation", window, "", "window", "index along window")
    return out, places(comparison)


def _observed_units(result: SimulationResult) -> str:
    return str(result.provenance.get("observed_units", ""))


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


# ---------------------------------------------------------------------- terminal
def simulation_table(result: SimulationResult) -> Group:
    """Return the ledger, the fit where there are observations, and calls by plugin."""
    parts: list[RenderableType] = [Text(f"{result.name}: forward run", style="bold")]
    if result.budgets:
        parts.append(ledger_table(result.budgets))
    parts += [Text(line, style="dim") for line in _footing(result)]
    return Group(*parts)


def _footing(result: SimulationResult) -> Iterator[str]:
    count = len(result.windows)
    resumed = f", {result.resumed} of them from restart files" if result.resumed else ""
    yield f"{count} {'window' if count == 1 else 'windows'}{resumed}"
    if result.observations:
        comparison = compared(result)
        misfit, units = comparison.misfit(STAGE), words.units(_observed_units(result))
        fit = f"bias {words.signed(misfit.bias)} {units}, RMSE {words.number(misfit.rmse)} {units}"
        yield f"{len(comparison)} observations, simulated minus observed: {fit}"
    for series in result.fields:
        yield f"field {series.port} at {len(series.times)} times"


# ---------------------------------------------------------------------- programs
def simulation_figures(result: SimulationResult) -> dict[str, Any]:
    """Return name, windows, fit and ledger in plain strings and numbers, as ``--json`` prints them."""
    figures: dict[str, Any] = {
        "name": result.name,
        "windows": len(result.windows),
        "resumed_windows": result.resumed,
        "observations": sum(len(seen) for seen in result.observations.values()),
    }
    if result.observations:
        misfit = compared(result).misfit(STAGE)
        figures |= {"bias_simulated": misfit.bias, "rmse_simulated": misfit.rmse}
    return figures


def budget_figures(budget: Budget) -> dict[str, Any]:
    """Return the totals of one exchange over the run, its residual, and the largest of a period."""
    worst = budget.worst
    parts = {part: budget.total(part) for part in ("left", "arrived", "unmapped", "withheld")}
    return {
        **parts,
        "units": budget.weight.units,
        "residual": budget.residual,
        "residual_max": float("nan") if worst is None else abs(worst.residual),
        "periods": len(budget.entries),
    }
