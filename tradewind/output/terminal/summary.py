"""A result in a few numbers that a program can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradewind.output.fit import STAGES, compare
from tradewind.results import InversionResult, SimulationResult

if TYPE_CHECKING:
    from tradewind.results import CallRecord


def summary(result: InversionResult | SimulationResult) -> dict[str, Any]:
    """Return what ``--json`` prints: plain strings, integers and floats, None where a number is not known."""
    return _forward(result) if isinstance(result, SimulationResult) else _inversion(result)


def _forward(result: SimulationResult) -> dict[str, Any]:
    """Return the figures of a forward run; ``exchanges`` has totals and residuals by ``source -> target``."""
    from tradewind.output.terminal.simulation import budget_figures, simulation_figures

    exchanges = {
        budget.exchange: {key: _plain(value) for key, value in budget_figures(budget).items()}
        for budget in result.budgets
    }
    figures = {key: _plain(value) for key, value in simulation_figures(result).items()}
    return figures | {"exchanges": exchanges, "notes": list(result.notes), "calls": calls(result.calls)}


def _inversion(result: InversionResult) -> dict[str, Any]:
    """Return the figures of an inversion.

    Keys are ``name``, ``target``, ``units``, ``total_prior``, ``total_prior_sigma``, ``total_posterior``,
    ``total_posterior_sigma``, ``dofs``, ``elements``, ``windows``, ``observations``, ``bias_prior``,
    ``rmse_prior``, ``bias_posterior``, ``rmse_posterior``, ``cost_…`` for every term of the cost function,
    ``notes`` and ``calls``: by ``component.plugin.what`` how many, for how many columns, in how many seconds.
    """
    totals = result.totals
    flat: dict[str, Any] = {
        "name": result.name,
        "target": result.target,
        "units": totals.units,
        "total_prior": totals.prior,
        "total_prior_sigma": totals.prior_sigma,
        "total_posterior": totals.posterior,
        "total_posterior_sigma": totals.posterior_sigma,
        "dofs": result.posterior.dofs,
        "elements": len(result.prior),
        "windows": len(result.windows),
        **_fit(result),
        **{f"cost_{name}": value for name, value in result.posterior.cost.items()},
    }
    numbers = {key: _plain(value) for key, value in flat.items()}
    return numbers | {"notes": list(result.notes), "calls": calls(result.calls)}


def _fit(result: InversionResult) -> dict[str, Any]:
    comparison = compare(result)
    out: dict[str, Any] = {"observations": len(comparison)}
    for stage in STAGES:
        misfit = comparison.misfit(stage)
        out |= {f"bias_{stage}": misfit.bias, f"rmse_{stage}": misfit.rmse}
    return out


def calls(records: Sequence[CallRecord]) -> dict[str, dict[str, Any]]:
    """Return calls, columns, seconds and notes by ``component.plugin.what``."""
    return {
        f"{r.component}.{r.plugin}.{r.what}": {
            "calls": r.calls,
            "columns": r.columns,
            "seconds": r.seconds,
            "note": r.note,
        }
        for r in records
    }


def _plain(value: Any) -> Any:
    # JSON has no word for NaN, and many readers stop at it
    if value is None or isinstance(value, str | int):
        return value
    return float(value) if math.isfinite(value) else None
