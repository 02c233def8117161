"""A filter's loop as a table and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tradewind.diagnostics import diagnose
from tradewind.output import words
from tradewind.output.fit import array, size_of
from tradewind.output.terminal.diagnostics import departures_table, diagnostics_figures, known

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradewind.diagnostics import Diagnosis
    from tradewind.results import Analysed, AssimilationResult


def assimilation_table(result: AssimilationResult) -> Group:
    """Return departures, what became of the spread, and how the loop spent its time."""
    found = diagnose(result.departures)
    title = Text(f"{result.name}: {result.method}, {counted(result)}", style="bold")
    units = str(result.provenance.get("observed_units", ""))
    parts: list[RenderableType] = [title, departures_table(found, units), _spreads(result)]
    return Group(*parts, *(Text(line, style="dim") for line in _footing(result, found)))


def counted(result: AssimilationResult) -> str:
    """Return how many members and analyses there were, in words."""
    count = len(result.windows)
    return f"{members_of(result)} members, {count} {'analysis' if count == 1 else 'analyses'}"


def members_of(result: AssimilationResult) -> int:
    """Return how many members the last analysis had."""
    return max((len(members) for members in result.members.values()), default=0)


def _spreads(result: AssimilationResult) -> Table:
    table = Table(title="Root mean square over all cells and analyses", title_justify="left")
    table.title_style = "bold"
    table.add_column("")
    for heading in ("spread before", "after", "increment"):
        table.add_column(heading, justify="right")
    table.add_column("units")
    for field in result.fields:
        numbers = (words.number(value) for value in sizes_of(field).values())
        table.add_row(Text(field.port), *numbers, words.units("" if field.names else field.variable.units))
    return table


def sizes_of(field: Analysed) -> dict[str, float]:
    """Return root mean squares of spread before and after, and of what the analyses have changed."""
    increment = array(field.analysis) - array(field.forecast)
    return {
        "forecast_spread": size_of(array(field.forecast_spread)),
        "analysis_spread": size_of(array(field.analysis_spread)),
        "increment": size_of(increment),
    }


def _footing(result: AssimilationResult, found: Diagnosis) -> Iterator[str]:
    if found.spread_skill is not None:
        yield f"spread over skill {words.number(found.spread_skill.ratio)} (1 where spread tells the error)"
    if found.ranks is not None:
        flat = words.number(found.ranks.p_value, 2)
        outside = words.percent(found.ranks.outside).lstrip("+")
        yield f"rank histogram: flat with p = {flat}, {outside} outside of all members"
    for stream, reasons in found.rejected.items():
        told = ", ".join(f"{words.whole(count)} {reason}" for reason, count in reasons.items())
        yield f"rejected of {stream}: {told}"
    if result.seconds:
        yield ", ".join(f"{name} {words.seconds(took)}" for name, took in result.seconds.items())


def assimilation_figures(result: AssimilationResult) -> dict[str, Any]:
    """Return name, method, sizes, spreads by field, diagnostics and seconds, as ``--json`` prints them."""
    fields = {field.port: {k: known(v) for k, v in sizes_of(field).items()} for field in result.fields}
    return {
        "name": result.name,
        "method": result.method,
        "members": members_of(result),
        "windows": len(result.windows),
        "observations": sum(len(d.y) for d in result.departures),
        "fields": fields,
        "diagnostics": diagnostics_figures(diagnose(result.departures)),
        "seconds": dict(result.seconds),
    }
