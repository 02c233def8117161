"""The posterior as CF datasets.

Every number of `posterior_dataset` is the same, bit for bit, from run to run and for any number of ranks:
what varies (calls, seconds) has a group of its own, `performance`, and the time of writing is an attribute.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from tradewind.errors import SpecError
from tradewind.output import files
from tradewind.output.fit import STAGES, Comparison, array, compare, observed_units
from tradewind.output.netcdf.attributes import described
from tradewind.output.netcdf.coordinates import (
    Variables,
    auxiliary_names,
    grid_coordinates,
    periods,
    places,
    variable,
)
from tradewind.output.netcdf.performance import performance_dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tradewind.results import InversionResult


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
    comparison = compare(result)
    data = (
        _fields(result)
        | _control(result)
        | _observations(result, comparison)
        | _fit(result, comparison)
        | _scalars(result)
    )
    coords = (
        grid_coordinates(result.grid)
        | _elements(result)
        | periods("window", "window", result.windows, "end of the window")
        | places(comparison.coordinates)
    )
    return xr.Dataset(data, coords=coords, attrs=attributes(result))


def _fields(result: InversionResult) -> Variables:
    units, target = result.field_units, result.target
    fields = {
        "prior": (result.prior_field, units, f"prior {target}"),
        "posterior": (result.posterior_field, units, f"posterior {target}"),
        "posterior_sigma": (result.posterior_sigma, units, f"standard error of posterior {target}"),
        "sensitivity": (result.sensitivity, "1", "averaging kernel sensitivity"),
        "element_of_cell": (result.cluster, "", "control element of the cell"),
    }
    dims = result.grid.dims
    out = {n: variable(dims, _cells(result, t, n), u, long, "") for n, (t, u, long) in fields.items()}
    out["posterior"].attrs["ancillary_variables"] = "posterior_sigma sensitivity"
    out["sensitivity"].attrs["comment"] = "diagonal of the averaging kernel: 0 all prior, 1 all observations"
    out["element_of_cell"].attrs["comment"] = "index along element; -1 where the cell belongs to none"
    for field in out.values() if (names := auxiliary_names(result.grid)) else ():
        field.encoding["coordinates"] = names
    return out


def _cells(result: InversionResult, tensor: Tensor, name: str) -> NDArray[Any]:
    values = array(tensor)
    if values.shape != (result.grid.size,):
        raise SpecError(
            f"shape {values.shape} on a grid of {result.grid.size} cells", where=f"field {name!r}"
        )
    if values.dtype.kind == "i":
        return values.astype(np.int32).reshape(result.grid.shape)
    return values.astype(np.float64).reshape(result.grid.shape)


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
        if matrix is not None:
            dims = ("element", "element_2")
            out[name] = variable(dims, array(matrix), its_units, name.replace("_", " "), "")
    if posterior.covariance is not None:
        sigma = posterior.covariance.diagonal().sqrt()
        out["x_posterior_sigma"] = _vector(result, sigma, units, "standard error of x_posterior")
    return out


def _vector(result: InversionResult, values: Tensor, units: str, long_name: str) -> xr.Variable:
    if values.shape != result.prior.shape:
        raise SpecError(f"shape {tuple(values.shape)} for {len(result.prior)} elements", where=long_name)
    return variable("element", array(values), units, long_name, "")


def _elements(result: InversionResult) -> Variables:
    numbers = np.arange(len(result.prior), dtype=np.int32)
    meaning = {"element": "control element", "element_2": "control element, as column"}
    return {name: variable(name, numbers, "", long, "") for name, long in meaning.items()}


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
        for name, meaning in (("bias", "mean"), ("rmse", "root mean square")):
            long = f"{meaning} of simulated minus observed, {stage}"
            out[f"{name}_{stage}"] = variable((), getattr(misfit, name), units, long, "")
            by_window = np.array([getattr(m, name) for m in windows], dtype=np.float64)
            out[f"window_{name}_{stage}"] = variable("window", by_window, units, f"{long}, by window", "")
    return out


def _scalars(result: InversionResult) -> Variables:
    totals = result.totals
    numbers: dict[str, tuple[float, str, str]] = {
        "total_prior": (totals.prior, totals.units, f"prior total of {result.target}"),
        "total_prior_sigma": (totals.prior_sigma, totals.units, "standard error of total_prior"),
        "total_posterior": (totals.posterior, totals.units, f"posterior total of {result.target}"),
        "total_posterior_sigma": (totals.posterior_sigma, totals.units, "standard error of total_posterior"),
    }
    if result.posterior.dofs is not None:
        numbers["dofs"] = (result.posterior.dofs, "1", "degrees of freedom for signal")
    for name, value in result.posterior.cost.items():
        numbers[f"cost_{name}"] = (value, "1", f"cost function, {name.replace('_', ' ')}")
    return {n: variable((), float(v), units, long, "") for n, (v, units, long) in numbers.items()}


def attributes(result: InversionResult) -> dict[str, str | int | float]:
    """Return the global attributes: CF's own, and the run's provenance under names of its own."""
    title = f"Inversion of {result.target}: {result.name}"
    return described(title, result.provenance, result.notes)
