"""A forward run as a table and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from tradewind.budget import Budget
from tradewind.output import words
from tradewind.output.fit import STAGE, compared, observed_units
from tradewind.output.terminal.ledger import ledger_table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradewind.results import SimulationResult


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
        misfit, units = comparison.misfit(STAGE), words.units(observed_units(result))
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
