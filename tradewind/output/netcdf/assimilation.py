"""A filter's loop as a CF dataset.

Every number of `assimilation_dataset` is the same, bit for bit, from run to run and for any number of ranks;
what varies (calls, seconds) has a group of its own, `performance`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from tradewind.diagnostics import diagnose
from tradewind.output import files
from tradewind.output.fit import array, coordinates_of, observed_units
from tradewind.output.netcdf.attributes import described
from tradewind.output.netcdf.coordinates import Variables, clock, periods, places, times, variable
from tradewind.output.netcdf.diagnostics import diagnostics_variables
from tradewind.output.netcdf.performance import performance_dataset
from tradewind.output.netcdf.placing import Placing, plain_names

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.diagnostics import Sample
    from tradewind.results import Analysed, AssimilationResult

STAGES = {
    "forecast": "mean of the members before the analysis",
    "analysis": "mean of the members after the analysis",
    "forecast_spread": "standard deviation of the members before the analysis",
    "analysis_spread": "standard deviation of the members after the analysis",
}

PLACES = (("lat", "latitude", "degrees_north"), ("lon", "longitude", "degrees_east"))


def write_assimilation(result: AssimilationResult, path: Path) -> None:
    """Write `assimilation_dataset` and, as the group ``performance``, calls and seconds, to `path`.

    Raises
    ------
    DataError
        When the file cannot be written; nothing is then left behind.
    """
    performance = performance_dataset(result.name, result.calls)
    names = np.array(list(result.seconds), dtype=object)
    took = np.array(list(result.seconds.values()), dtype=np.float64)
    performance["part"] = variable("part", names, "", "part of the loop")
    performance["part_seconds"] = variable("part", took, "s", "wall-clock time, summed over ranks")
    files.write_netcdf(assimilation_dataset(result), path, {"performance": performance})


def assimilation_dataset(result: AssimilationResult) -> xr.Dataset:
    """Return a filter's loop as a CF dataset.

    Means and spreads lie on ``time`` and their grids, as ``<component>_<variable>_<stage>``; the last
    members on ``member``; observations, rejected ones included, on ``observation``; see
    `diagnostics_variables` for the rest. Elements of a control lie on ``<component>_<variable>_element``.

    Raises
    ------
    SpecError
        When a field does not fit its grid.
    """
    found = diagnose(result.departures)
    units = observed_units(result)
    data = _fields(result) | _observations(result, found.sample, units) | diagnostics_variables(found, units)
    coords = _times(result) | periods("window", "window", result.windows, "end of the window")
    coords |= _placing(result).coordinates
    coords |= places(coordinates_of([d.coordinates for d in result.departures if len(d.y)]))
    title = f"Assimilation by {result.method}: {result.name}"
    return xr.Dataset(data, coords=coords, attrs=described(title, result.provenance, result.notes))


def _placing(result: AssimilationResult) -> Placing:
    return Placing(field.grid for field in result.fields if not field.names)


def _times(result: AssimilationResult) -> Variables:
    moments = times(next((field.times for field in result.fields), ()))
    attrs = {"standard_name": "time", "long_name": "time of the analysis", "axis": "T"}
    return {"time": xr.Variable("time", moments, attrs, encoding=clock(moments))} if len(moments) else {}


def _fields(result: AssimilationResult) -> Variables:
    placing = _placing(result)
    out: Variables = {}
    for name, field in zip(plain_names([f.port for f in result.fields]), result.fields, strict=True):
        out |= _elements(name, field, result) if field.names else _cells(name, field, result, placing)
    return out


def _cells(name: str, field: Analysed, result: AssimilationResult, placing: Placing) -> Variables:
    declared = replace(field.variable, grid=field.grid)
    out: Variables = {}
    for stage, long in STAGES.items():
        values = array(getattr(field, stage))
        told = f"{field.port}, {long}"
        out[f"{name}_{stage}"] = placing.field(field.port, declared, values, ("time",), long_name=told)
    members = members_of(result, field)
    if members is not None:
        told = f"{field.port}, members after the last analysis"
        out[f"{name}_members"] = placing.field(
            field.port, declared, array(members), ("member",), long_name=told
        )
    return out


def members_of(result: AssimilationResult, field: Analysed) -> Tensor | None:
    """Return the last members of a field; None where they were not kept."""
    placeless = f"{field.port}, of no place"
    found = result.members.get(placeless) if field.names and field.grid is None else None
    return result.members.get(field.port) if found is None else found


def _elements(name: str, field: Analysed, result: AssimilationResult) -> Variables:
    dim = f"{name}_element"
    out: Variables = {}
    for stage, long in STAGES.items():
        values = array(getattr(field, stage))
        out[f"{name}_{stage}"] = variable(("time", dim), values, "", f"{field.port}, {long}, as in x")
    members = members_of(result, field)
    if members is not None:
        told = f"{field.port}, members after the last analysis, as in x"
        out[f"{name}_members"] = variable(("member", dim), array(members), "", told)
    names = np.array(field.names, dtype=object)
    if field.grid is not None:
        for side, standard, degrees in PLACES:
            values = getattr(field.grid, side)
            more = {"standard_name": standard}
            out[f"{dim}_{side}"] = variable(dim, values, degrees, f"{standard} of the element", **more)
    return out | {f"{dim}_name": variable(dim, names, "", "name of the control element")}


def _observations(result: AssimilationResult, sample: Sample, units: str) -> Variables:
    what = str(result.provenance.get("observed", "observation"))
    told = {
        "y": (sample.y, what),
        "y_sigma": (sample.sigma, f"standard error of {what}"),
        "y_forecast": (sample.background, f"{what}, simulated before the analysis"),
        "y_analysis": (sample.analysis, f"{what}, simulated after the analysis"),
        "y_forecast_spread": (sample.background_sigma, f"{what}, standard deviation of the members before"),
        "y_analysis_spread": (sample.analysis_sigma, f"{what}, standard deviation of the members after"),
    }
    out = {name: variable("observation", values, units, long) for name, (values, long) in told.items()}
    out["y"].attrs["ancillary_variables"] = "y_sigma"
    rank = "rank among the members before the analysis"
    out["y_rank"] = variable("observation", sample.rank, "", rank, "-1 without members")
    reasons = sample.reason.astype(object)
    why = "why the observation was not used"
    out["y_reason"] = variable("observation", reasons, "", why, "empty where it was used")
    index = sample.window.astype(np.int32)
    out["window_of_observation"] = variable("observation", index, "", "window", "index along window")
    return out
