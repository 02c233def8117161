"""The result as a table on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tradewind.diagnostics import descent
from tradewind.findings.aggregates import ALL
from tradewind.output import words
from tradewind.output.fit import Comparison, compare, diagnosis_of, observed_units
from tradewind.output.terminal.assimilation import assimilation_table
from tradewind.output.terminal.diagnostics import departures_table
from tradewind.output.terminal.simulation import simulation_table
from tradewind.results import AssimilationResult, SimulationResult

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from tradewind.results import CallRecord, ControlledField, InversionResult

    Result: TypeAlias = InversionResult | SimulationResult | AssimilationResult


def terminal_table(result: Result) -> Group:
    """Return what the run has found, and calls by plugin, to be printed by a rich console.

    Of an inversion totals, fit and DOFS, of a forward run the ledger, of a filter's loop departures and
    spread.
    """
    parts = list(_parts(result))
    if result.calls:
        parts.append(_calls(result.calls))
    parts += [Text(f"note: {note}", style="yellow") for note in result.notes]
    return Group(*parts)


def _parts(result: Result) -> Iterator[RenderableType]:
    if isinstance(result, SimulationResult):
        yield simulation_table(result)
    elif isinstance(result, AssimilationResult):
        yield assimilation_table(result)
    else:
        comparison = compare(result)
        yield _numbers(result, comparison)
        diagnosis = diagnosis_of(result)
        if len(diagnosis.streams) > 1 or diagnosis.rejections:
            yield departures_table(diagnosis, observed_units(result))
        yield _footing(result, comparison)


def print_table(result: Result, console: Console, rank: int = 0) -> None:
    """Print the table on rank 0: in colour on a terminal, as plain text elsewhere."""
    if rank == 0:
        console.print(terminal_table(result), highlight=False)


def _numbers(result: InversionResult, comparison: Comparison) -> Table:
    table = Table(title=Text(f"{result.name}: {result.target}"), title_justify="left", title_style="bold")
    table.add_column("")
    for name in ("prior", "posterior"):
        table.add_column(name, justify="right")
    table.add_column("units")
    units = words.units(observed_units(result))
    for field in result.fields:
        if field.totals is not None:
            table.add_row(*_total(field, alone=len(result.fields) == 1))
    for row in _aggregates(result):
        table.add_row(*row)
    fits = [comparison.misfit(stage) for stage in ("prior", "posterior")]
    table.add_row("bias", *(words.signed(f.bias) for f in fits), units)
    table.add_row("RMSE", *(words.number(f.rmse) for f in fits), units)
    for term in ("prior", "observations"):
        costs = [result.posterior.cost.get(f"{term}_{when}") for when in ("before", "after")]
        if any(c is not None for c in costs):
            table.add_row(f"cost, {term}", *(words.number(c) for c in costs), "")
    return table


def _total(field: ControlledField, alone: bool) -> Iterator[RenderableType]:
    totals = field.totals
    if totals is None:
        return
    yield Text("total" if alone else f"total, {field.port}")
    yield words.with_error(totals.prior, totals.prior_sigma)
    yield Text(words.with_error(totals.posterior, totals.posterior_sigma), style="bold")
    yield words.units(totals.units)


def _aggregates(result: InversionResult) -> Iterator[tuple[RenderableType, ...]]:
    """Yield the totals of regions, and of all sectors together."""
    found = result.aggregates
    if found is None:
        return
    numbers = (found.prior, found.prior_sigma, found.posterior, found.posterior_sigma)
    columns = [values.tolist() for values in numbers]
    names = found.regions if len(set(found.sectors)) == 1 else found.names
    for k, name in enumerate(names):
        if found.regions[k] == ALL and found.sectors[k] != ALL:
            continue
        before, after = (words.with_error(columns[c][k], columns[c + 1][k]) for c in (0, 2))
        yield Text(f"total, {name}"), before, Text(after, style="bold"), words.units(found.units)


def _footing(result: InversionResult, comparison: Comparison) -> Text:
    counts = f"{len(comparison)} observations in {_windows(result)}, {len(result.prior)} elements"
    if result.posterior.dofs is None:
        return Text(f"{counts}{_iterations(result)}", style="dim")
    return Text(f"DOFS {words.number(result.posterior.dofs)} from {counts}{_iterations(result)}", style="dim")


def _windows(result: InversionResult) -> str:
    count = len(result.windows)
    return f"{count} {'window' if count == 1 else 'windows'}"


def _iterations(result: InversionResult) -> str:
    found = descent(result.posterior)
    return "" if found is None else f", {len(found.number)} iterations"


def _calls(calls: Sequence[CallRecord]) -> Table:
    table = Table(title="Who answered", title_justify="left", title_style="bold")
    for name in ("component", "plugin", "call"):
        table.add_column(name)
    for name in ("calls", "columns", "time"):
        table.add_column(name, justify="right")
    for r in calls:
        counts = (words.whole(r.calls), words.whole(r.columns), words.seconds(r.seconds))
        table.add_row(Text(r.component), Text(r.plugin), r.what, *counts)
        if r.note:
            table.add_row("", Text(r.note, style="dim"))
    return table
