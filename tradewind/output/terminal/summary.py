"""A result in a few numbers that a program can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tradewind.diagnostics import descent
from tradewind.output.fit import STAGES, compare, diagnosis_of
from tradewind.output.terminal.diagnostics import diagnostics_figures, dropped_by_stream
from tradewind.results import AssimilationResult, InversionResult, SimulationResult

if TYPE_CHECKING:
    from tradewind.results import CallRecord, Totals


def summary(result: InversionResult | SimulationResult | AssimilationResult) -> dict[str, Any]:
    """Return what ``--json`` prints: plain strings, integers and floats, None where a number is not known."""
    if isinstance(result, SimulationResult):
        return _forward(result)
    return _assimilation(result) if isinstance(result, AssimilationResult) else _inversion(result)


def _assimilation(result: AssimilationResult) -> dict[str, Any]:
    from tradewind.output.terminal.assimilation import assimilation_figures

    return assimilation_figures(result) | {"notes": list(result.notes), "calls": calls(result.calls)}


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
    ``total_posterior_sigma`` (None for several fields, which stand by port under ``fields``), ``dofs``,
    ``elements``, ``windows``, ``observations``, ``bias_prior``, ``rmse_prior``, ``bias_posterior``,
    ``rmse_posterior``, ``cost_…`` for every term of the cost function, ``iterations`` (how many the method
    tells), ``aggregates`` (totals by sector and region, by name), ``dropped`` (counts by stream and reason),
    ``diagnostics``, ``notes`` and ``calls``: by ``component.plugin.what`` how many, for how many
    columns, in how many seconds.
    """
    iterations, by_port = descent(result.posterior), {f.port: _totals(f.totals) for f in result.fields}
    flat: dict[str, Any] = {
        "name": result.name,
        "target": result.target,
        **(next(iter(by_port.values())) if len(by_port) == 1 else _totals(None)),
        "dofs": result.posterior.dofs,
        "elements": len(result.prior),
        "windows": len(result.windows),
        "iterations": None if iterations is None else len(iterations.number),
        **_fit(result),
        **{f"cost_{name}": value for name, value in result.posterior.cost.items()},
    }
    numbers = {key: _plain(value) for key, value in flat.items()}
    if len(by_port) > 1:
        numbers["fields"] = by_port
    numbers["aggregates"] = _aggregates(result)
    numbers["dropped"] = dropped_by_stream(result.dropped)
    numbers["diagnostics"] = diagnostics_figures(diagnosis_of(result))
    return numbers | {"notes": list(result.notes), "calls": calls(result.calls)}


def _totals(totals: Totals | None) -> dict[str, Any]:
    names = ("prior", "prior_sigma", "posterior", "posterior_sigma")
    told = {f"total_{name}": None if totals is None else _plain(getattr(totals, name)) for name in names}
    return {"units": None if totals is None else totals.units} | told


def _aggregates(result: InversionResult) -> dict[str, dict[str, Any]]:
    """Return totals by sector and region, with errors, and their range over other hyper-parameters."""
    found = result.aggregates
    if found is None:
        return {}
    columns = {
        "prior": found.prior, "prior_sigma": found.prior_sigma,
        "posterior": found.posterior, "posterior_sigma": found.posterior_sigma,
    }  # fmt: skip
    columns |= dict(zip(("least", "greatest"), found.range or (), strict=False))
    return {
        name: {key: _plain(float(values[k])) for key, values in columns.items()}
        for k, name in enumerate(found.names)
    }


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
