"""Totals by sector and region, inversions under other hyper-parameters, and periods, as CF variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.diagnostics import effects
from tradewind.output.fit import array
from tradewind.output.netcdf.coordinates import Variables, periods, variable

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

    from tradewind.diagnostics import Rolling, Variants
    from tradewind.findings.aggregates import Aggregates

    Named: TypeAlias = Iterator[tuple[str, xr.Variable]]

ALONG, ACROSS = "aggregate", "aggregate_2"
MEANINGS = {
    "prior_error": "factor on the prior's errors",
    "observation_error": "factor on the observations' errors",
    "gamma": "weight of the observations",
    "boundary_error": "factor on the errors of the boundaries",
}


# ---------------------------------------------------------------------- totals
def aggregate_variables(found: Aggregates | None) -> Variables:
    """Return totals by sector and region along ``aggregate``; nothing where there are none."""
    return {} if found is None else dict(_aggregates(found))


def _aggregates(found: Aggregates) -> Named:
    texts = {"name": found.names, "sector": found.sectors, "region": found.regions}
    for key, words in texts.items():
        yield f"aggregate_{key}", _text(ALONG, words, f"{key} of the total")
    sides = {"prior": (found.prior, found.prior_sigma), "posterior": (found.posterior, found.posterior_sigma)}
    for stage, (totals, sigma) in sides.items():
        yield f"aggregate_{stage}", _numbers((ALONG,), totals, found.units, f"{stage} total")
        long = f"standard error of aggregate_{stage}"
        yield f"aggregate_{stage}_sigma", _numbers((ALONG,), sigma, found.units, long)
    yield from _covariances(found)
    yield from _spread(found)


def _covariances(found: Aggregates) -> Named:
    both = {"prior": found.prior_covariance, "posterior": found.posterior_covariance}
    for stage, matrix in both.items():
        if matrix is not None:
            long = f"covariance of the errors of aggregate_{stage}"
            yield (
                f"aggregate_{stage}_covariance",
                _numbers((ALONG, ACROSS), matrix, f"({found.units})2", long),
            )


def _spread(found: Aggregates) -> Named:
    ends = found.range
    for name, totals in zip(("least", "greatest"), ends or (), strict=False):
        long = f"{name} posterior total of the variants that are kept"
        yield f"aggregate_{name}", _numbers((ALONG,), totals, found.units, long)
    if found.variants is not None:
        long = "posterior total of the variant"
        yield "variant_aggregate", _numbers(("variant", ALONG), found.variants, found.units, long)
    if found.periods is not None:
        told = {"prior": found.periods.prior, "posterior": found.periods.posterior}
        for stage, totals in told.items():
            long = f"{stage} total of the period"
            yield f"period_aggregate_{stage}", _numbers(("period", ALONG), totals, found.units, long)
        long = "standard error of period_aggregate_posterior"
        comment = "errors of the elements are taken to be independent of each other"
        sigma = found.periods.sigma
        yield "period_aggregate_sigma", _numbers(("period", ALONG), sigma, found.units, long, comment)


# ---------------------------------------------------------------------- other hyper-parameters
def variant_variables(found: Variants | None, totals: Aggregates | None) -> Variables:
    """Return inversions under other hyper-parameters along ``variant``, their effects along ``effect``."""
    if found is None:
        return {}
    return dict(_variants(found)) | dict(_effects(found, totals))


def _variants(found: Variants) -> Named:
    for name, values in found.parameters.items():
        yield f"variant_{name}", variable("variant", values, "1", MEANINGS.get(name, name))
    long = "prior term of the cost, for each element"
    yield "variant_prior_cost", variable("variant", found.prior_cost, "1", long)
    yield "variant_dofs", variable("variant", found.dofs, "1", "degrees of freedom for signal of the variant")
    comment = "1: its prior term of the cost, for each element, lies within the method's limits"
    yield "variant_kept", variable("variant", found.kept.astype(np.int8), "1", "whether it is kept", comment)
    yield "variant_x", variable(("variant", "element"), found.means, "", "posterior mean of the variant")


def _effects(found: Variants, totals: Aggregates | None) -> Named:
    rows = list(effects(found, {"prior_cost": found.prior_cost, "dofs": found.dofs}))
    if not rows:
        return
    yield "effect_parameter", _text("effect", [row.parameter for row in rows], "hyper-parameter")
    yield "effect_value", variable("effect", np.array([row.value for row in rows]), "1", "its value")
    counts = np.array([row.count for row in rows], dtype=np.int64)
    yield (
        "effect_count",
        variable("effect", counts, "1", "variants that have this value: kept ones, or all where none is"),
    )
    for name in ("prior_cost", "dofs"):
        values = np.array([row.values[name] for row in rows])
        yield f"effect_{name}", variable("effect", values, "1", f"mean of variant_{name} over these variants")
    if totals is not None and totals.variants is not None:
        each = array(totals.variants)
        asked = {str(k): each[:, k] for k in range(len(totals))}
        means = np.array([list(row.values.values()) for row in effects(found, asked)])
        long = "mean of variant_aggregate over these variants"
        yield "effect_aggregate", variable(("effect", ALONG), means, totals.units, long)


# ---------------------------------------------------------------------- periods
def rolling_variables(found: Rolling | None, units: str) -> Variables:
    """Return x before and after in each period of a rolling inversion, along ``period``.

    Parameters
    ----------
    units
        Of x.
    """
    if found is None:
        return {}
    both = ("period", "element")
    return {
        "period_x_prior": variable(both, found.prior, units, "x as the period begins"),
        "period_x_posterior": variable(both, found.mean, units, "x after the period's observations"),
        "period_x_sigma": variable(both, found.sigma, units, "standard error of period_x_posterior"),
        "period_dofs": variable("period", found.dofs, "1", "degrees of freedom for signal of the period"),
    }


def rolling_coordinates(found: Rolling | None) -> Variables:
    """Return the ends of the periods and their bounds."""
    return {} if found is None else periods("period", "period", found.intervals, "end of the period")


def _numbers(
    dims: tuple[str, ...], values: Tensor, units: str, long: str, comment: str = ""
) -> xr.Variable:  # fmt: skip
    return variable(dims, array(values), units, long, comment)


def _text(dim: str, words: Sequence[Any], long: str) -> xr.Variable:
    return variable(dim, np.array(list(words), dtype=object), "", long)
