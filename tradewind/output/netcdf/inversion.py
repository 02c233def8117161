"""The posterior as CF datasets.

Every number of `posterior_dataset` is the same, bit for bit, from run to run and for any number of ranks:
what varies (calls, seconds) has a group of its own, `performance`, and the time of writing is an attribute.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr

from tradewind.diagnostics import descent, rolling, variants
from tradewind.errors import SpecError
from tradewind.output import files
from tradewind.output.asked import Matrices
from tradewind.output.fit import STAGES, Comparison, array, compare, diagnosis_of, observed_units
from tradewind.output.netcdf.aggregates import (
    aggregate_variables,
    rolling_coordinates,
    rolling_variables,
    variant_variables,
)
from tradewind.output.netcdf.attributes import described
from tradewind.output.netcdf.coordinates import (
    Variables,
    periods,
    places,
    variable,
)
from tradewind.output.netcdf.diagnostics import descent_variables, diagnostics_variables
from tradewind.output.netcdf.examples import dropped_variables, example_variables
from tradewind.output.netcdf.performance import performance_dataset
from tradewind.output.netcdf.placing import Placing, plain_names

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.diagnostics import Diagnosis
    from tradewind.results import ControlledField, InversionResult

MISFITS = {"bias": "mean", "rmse": "root mean square"}
ELEMENT = "index along element; -1 where the cell belongs to none"


def write_posterior(result: InversionResult, path: Path) -> None:
    """Write `posterior_dataset` and, as the group ``performance``, `performance_dataset` to `path`.

    Raises
    ------
    DataError
        When the file cannot be written; nothing is then left behind.
    """
    files.write_netcdf(
        posterior_dataset(result), path, {"performance": performance_dataset(result.name, result.calls)}
    )


def posterior_dataset(result: InversionResult) -> xr.Dataset:
    """Return the inversion as a CF dataset.

    Fields lie on the grid (``lat, lon`` where it is rectilinear, ``y, x`` where it is curvilinear, else
    ``cell``), the control vector and its matrices on ``element``, and what was seen and simulated on
    ``observation``; totals, DOFS and terms of the cost function are scalars.

    Raises
    ------
    SpecError
        When a field or vector has another length than its grid, prior or observations.
    """
    comparison, diagnosis = compare(result), diagnosis_of(result)
    data = (
        _fields(result)
        | _control(result)
        | _observations(result, comparison)
        | _fit(result, comparison)
        | _scalars(result)
        | descent_variables(descent(result.posterior))
        | diagnostics_variables(diagnosis, observed_units(result))
        | _by_stream(diagnosis, observed_units(result))
        | dropped_variables(result.dropped)
        | _beyond(result, comparison)
    )
    coords = (
        _placing(result).coordinates
        | rolling_coordinates(rolling(result.posterior))
        | _elements(result)
        | periods("window", "window", result.windows, "end of the window")
        | places(comparison.coordinates)
    )
    return xr.Dataset(data, coords=coords, attrs=attributes(result))


def _beyond(result: InversionResult, comparison: Comparison) -> Variables:
    """Return totals by sector and region, other hyper-parameters, periods, a plume and a footprint."""
    posterior, totals = result.posterior, result.aggregates
    units = str(result.provenance.get("control_units", ""))
    return (
        aggregate_variables(totals)
        | variant_variables(variants(posterior), totals)
        | rolling_variables(rolling(posterior), units)
        | example_variables(result, comparison, _placing(result), observed_units(result))
    )


def _fields(result: InversionResult) -> Variables:
    placing: Placing = _placing(result)
    out: Variables = {}
    for prefix, field in prefixed(result):
        out |= {f"{prefix}{name}": v for name, v in _field(field, placing, prefix).items()}
    return out


def _placing(result: InversionResult) -> Placing:
    plume = None if result.examples is None else result.examples.plume
    return Placing([*(field.grid for field in result.fields), None if plume is None else plume.grid])


def prefixed(result: InversionResult) -> list[tuple[str, ControlledField]]:
    """Return the fields, each with what tells its variables from those of others; one alone needs nothing."""
    if len(result.fields) == 1:
        return [("", result.fields[0])]
    names = plain_names([field.port for field in result.fields])
    return [(f"{name}_", field) for name, field in zip(names, result.fields, strict=True)]


def _field(field: ControlledField, placing: Placing, prefix: str) -> Variables:
    units, port, declared = field.units, field.port, replace(field.variable, grid=field.grid)
    kernel = "diagonal of the averaging kernel: 0 all prior, 1 all observations"
    shared = "an element's part is shared equally by its cells; their sum is that of the field"
    told = {
        "prior": (field.prior, units, f"prior {port}", ""),
        "prior_sigma": (field.prior_sigma, units, f"standard error of prior {port}", ""),
        "posterior": (field.posterior, units, f"posterior {port}", ""),
        "posterior_sigma": (field.sigma, units, f"standard error of posterior {port}", ""),
        "sensitivity": (field.sensitivity, "1", "averaging kernel sensitivity", kernel),
        "dofs_of_cell": (field.dofs, "1", "degrees of freedom for signal of the cell", shared),
        "element_of_cell": (field.element, "", "control element of the cell", ELEMENT),
    }
    out = {
        name: placing.field(port, declared, array(values), units=unit, long_name=long, comment=comment)
        for name, (values, unit, long, comment) in told.items()
        if values is not None
    }
    beside = [f"{prefix}{name}" for name in ("posterior_sigma", "sensitivity") if name in out]
    if beside:
        out["posterior"].attrs["ancillary_variables"] = " ".join(beside)
    return out


def _control(result: InversionResult) -> Variables:
    posterior, units = result.posterior, str(result.provenance.get("control_units", ""))
    out = {
        "x_prior": _vector(result, result.prior, units, "prior of the control vector"),
        "x_prior_sigma": _vector(result, result.prior_sigma, units, "standard error of x_prior"),
        "x_posterior": _vector(result, posterior.mean, units, "posterior mean of the control vector"),
    }
    matrices = {
        "posterior_covariance": (posterior.covariance, units if units in {"", "1"} else f"({units})2"),
        "averaging_kernel": (posterior.averaging_kernel, "1"),
    }
    for name, (matrix, its_units) in matrices.items():
        if matrix is not None and result.matrices is Matrices.WRITTEN:
            dims = ("element", "element_2")
            out[name] = variable(dims, array(matrix), its_units, name.replace("_", " "), "")
    if posterior.sensitivity is not None:
        long = "diagonal of the averaging kernel"
        out["x_sensitivity"] = _vector(result, posterior.sensitivity, "1", long)
    if "active" in posterior.details:
        long, bound = "whether the element lies on a bound", posterior.details["active"].to(torch.int8)
        out["x_at_bound"] = _vector(result, bound, "1", long)
    if result.sigma is not None:
        out["x_posterior_sigma"] = _vector(result, result.sigma, units, "standard error of x_posterior")
    if posterior.members is not None:
        members = array(posterior.members)
        out["x_members"] = variable(("member", "element"), members, units, "sample of the posterior of x")
    return out


def _vector(result: InversionResult, values: Tensor, units: str, long_name: str) -> xr.Variable:
    if values.shape != result.prior.shape:
        raise SpecError(f"shape {tuple(values.shape)} for {len(result.prior)} elements", where=long_name)
    return variable("element", array(values), units, long_name, "")


def _elements(result: InversionResult) -> Variables:
    numbers = np.arange(len(result.prior), dtype=np.int32)
    meaning = {"element": "control element", "element_2": "control element, as column"}
    out = {name: variable(name, numbers, "", long, "") for name, long in meaning.items()}
    if result.elements:
        names = np.array(result.elements, dtype=object)
        out["element_name"] = variable("element", names, "", "name of the control element")
    return out


def _observations(result: InversionResult, comparison: Comparison) -> Variables:
    units, what = observed_units(result), str(result.provenance.get("observed", "observation"))
    columns = {
        "y": (comparison.y, what),
        "y_sigma": (comparison.sigma, f"standard error of {what}"),
        "y_prior": (comparison.simulated["prior"], f"{what}, simulated from the prior"),
        "y_posterior": (comparison.simulated["posterior"], f"{what}, simulated from the posterior"),
    }
    out = {name: variable("observation", v, units, long, "") for name, (v, long) in columns.items()}
    out["y"].attrs["ancillary_variables"] = "y_sigma"
    comment = "index along window"
    out["window_of_observation"] = variable("observation", comparison.window, "", "window", comment)
    return out


def _fit(result: InversionResult, comparison: Comparison) -> Variables:
    units = observed_units(result)
    out: Variables = {}
    for stage in STAGES:
        misfit, windows = comparison.misfit(stage), comparison.by_window(stage)
        for name, meaning in MISFITS.items():
            long = f"{meaning} of simulated minus observed, {stage}"
            out[f"{name}_{stage}"] = variable((), getattr(misfit, name), units, long, "")
            by_window = np.array([getattr(m, name) for m in windows], dtype=np.float64)
            out[f"window_{name}_{stage}"] = variable("window", by_window, units, f"{long}, by window", "")
    return out


def _by_stream(found: Diagnosis, units: str) -> Variables:
    """Return bias and RMSE of each stream along ``stream``, whose names are those of the diagnostics."""
    out: Variables = {}
    for stage, side in zip(STAGES, ("before", "after"), strict=True):
        moments = [getattr(part.innovations, side) for part in found.streams.values()]
        for name, values in (("bias", [-m.mean for m in moments]), ("rmse", [m.rms for m in moments])):
            long = f"{MISFITS[name]} of simulated minus observed, {stage}, by stream"
            out[f"stream_{name}_{stage}"] = variable("stream", np.array(values), units, long)
    return out if found.streams else {}


def _scalars(result: InversionResult) -> Variables:
    numbers: dict[str, tuple[float, str, str]] = {}
    for prefix, field in prefixed(result):
        numbers |= {f"{prefix}{name}": told for name, told in _totals(field).items()}
    if result.posterior.dofs is not None:
        numbers["dofs"] = (result.posterior.dofs, "1", "degrees of freedom for signal")
    for name, value in result.posterior.cost.items():
        numbers[f"cost_{name}"] = (value, "1", f"cost function, {name.replace('_', ' ')}")
    return {n: variable((), float(v), units, long, "") for n, (v, units, long) in numbers.items()}


def _totals(field: ControlledField) -> dict[str, tuple[float, str, str]]:
    totals = field.totals
    if totals is None:
        return {}
    return {
        "total_prior": (totals.prior, totals.units, f"prior total of {field.port}"),
        "total_prior_sigma": (totals.prior_sigma, totals.units, "standard error of total_prior"),
        "total_posterior": (totals.posterior, totals.units, f"posterior total of {field.port}"),
        "total_posterior_sigma": (totals.posterior_sigma, totals.units, "standard error of total_posterior"),
    }


def attributes(result: InversionResult) -> dict[str, str | int | float]:
    """Return the global attributes: CF's own, and the run's provenance under names of its own."""
    title = f"Inversion of {result.target}: {result.name}"
    return described(title, result.provenance, result.notes)
