"""A preview on the terminal and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tradewind.output import words
from tradewind.output.terminal.diagnostics import dropped_by_stream, known

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tradewind.preview import Preview

SHOWN = 12
"""Elements in the table: those that the observations decide most; all are in the JSON."""


def preview_figures(found: Preview) -> dict[str, Any]:
    """Return a preview in plain numbers, None where one is not known.

    Keys are ``name``, ``dofs``, ``dofs_downwind``, ``unknown`` (elements of which nothing is known),
    ``elements``, ``observations``, ``windows``, ``columns``, ``rows``, ``answered_by``, ``bytes`` and
    ``seconds`` (in all, and by part as ``bytes_by_part`` and ``seconds_by_part``), ``by_target`` (DOFS by
    port), ``each`` (a list with ``name``, ``target``, ``soundings``, ``response``, ``sensitivity`` and
    ``downwind`` of every element), ``dropped`` (by stream and reason), ``winds`` and ``notes``.
    """
    expected, cost = found.expected, found.cost
    return {
        "name": found.name,
        "dofs": expected.dofs,
        "dofs_downwind": expected.dofs_downwind,
        "unknown": expected.unknown,
        "elements": cost.elements,
        "observations": cost.observations,
        "windows": cost.windows,
        "columns": cost.columns,
        "rows": cost.rows,
        "answered_by": cost.answered_by,
        "bytes": cost.bytes,
        "seconds": cost.total_seconds,
        "bytes_by_part": dict(cost.memory),
        "seconds_by_part": dict(cost.seconds),
        "by_target": dict(_by_target(found)),
        "each": list(_each(found)),
        "dropped": dropped_by_stream(found.dropped),
        "winds": found.winds,
        "notes": list(found.notes),
    }


def _by_target(found: Preview) -> Iterator[tuple[str, dict[str, float]]]:
    names = np.array(found.expected.target)
    for target in found.targets:
        own = names == target
        sums = {
            "dofs": float(np.nansum(found.expected.sensitivity[own])),
            "dofs_downwind": float(np.nansum(found.expected.downwind[own])),
        }
        yield target, sums | {"elements": int(own.sum())}


def _each(found: Preview) -> Iterator[dict[str, Any]]:
    expected = found.expected
    for k, target in enumerate(expected.target):
        yield {
            "name": _name(found, k),
            "target": target,
            "soundings": int(expected.soundings[k]),
            "response": known(float(expected.response[k])),
            "sensitivity": known(float(expected.sensitivity[k])),
            "downwind": known(float(expected.downwind[k])),
        }


def _name(found: Preview, k: int) -> str:
    return found.names[k] if found.names else f"element {k}"


# ---------------------------------------------------------------------- for people
def preview_table(found: Preview) -> Group:
    """Return a preview to be printed by a rich console."""
    return Group(*_parts(found))


def _parts(found: Preview) -> Iterator[RenderableType]:
    yield _information(found)
    if len(found.targets) > 1:
        yield _targets(found)
    yield _elements(found)
    yield _cost(found)
    yield Text(f"K is made by {_who(found)}")
    for one in found.dropped:
        yield Text(f"{one.stream}: {words.whole(one.count)} not used, {one.reason}", style="dim")
    yield from (Text(f"note: {note}", style="yellow") for note in found.notes)


def _information(found: Preview) -> Text:
    expected, cost = found.expected, found.cost
    unknown = f", nothing is known of {words.whole(expected.unknown)}" if expected.unknown else ""
    return Text(
        f"{found.name}: {words.whole(cost.observations)} observations in {words.whole(cost.windows)} "
        f"{'window' if cost.windows == 1 else 'windows'}, {words.whole(cost.elements)} elements{unknown}\n"
        f"DOFS expected: {words.number(expected.dofs)} from what stands above each element,\n"
        f"{words.number(expected.dofs_downwind)} with what plumes pass below (winds: {found.winds})"
    )


def _targets(found: Preview) -> Table:
    table = Table(title="By field", title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("elements", "DOFS", "downwind"):
        table.add_column(heading, justify="right")
    for target, sums in _by_target(found):
        numbers = (words.number(sums["dofs"]), words.number(sums["dofs_downwind"]))
        table.add_row(Text(target), words.whole(int(sums["elements"])), *numbers)
    return table


def _elements(found: Preview) -> Table:
    expected = found.expected
    order = np.argsort(-np.nan_to_num(expected.downwind, nan=-1.0), kind="stable")[:SHOWN]
    title = "Elements" if len(expected.target) <= SHOWN else f"The {SHOWN} elements that are seen best"
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("above it", "ppb for one sigma", "sensitivity", "downwind"):
        table.add_column(heading, justify="right")
    for k in order.tolist():
        numbers = (expected.response[k], expected.sensitivity[k], expected.downwind[k])
        counts = words.whole(int(expected.soundings[k]))
        table.add_row(Text(_name(found, k)), counts, *(words.number(float(v)) for v in numbers))
    return table


def _who(found: Preview) -> str:
    cost = found.cost
    asked, what = (cost.columns, "columns") if cost.columns else (cost.rows, "rows")
    return f"{cost.answered_by}, {words.whole(asked)} {what}"


def _cost(found: Preview) -> Table:
    cost = found.cost
    table = Table(title="Cost", title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("memory", "time"):
        table.add_column(heading, justify="right")
    for name in dict.fromkeys([*cost.memory, *cost.seconds]):
        memory = _memory(cost.memory[name]) if name in cost.memory else ""
        table.add_row(name, memory, _time(cost.seconds[name]) if name in cost.seconds else "")
    table.add_row(Text("in all", style="bold"), _memory(cost.bytes), _time(cost.total_seconds))
    return table


def _memory(count: int) -> str:
    for size, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            return f"{words.number(count / size)} {name}"
    return f"{count} B"


def _time(seconds: float | None) -> str:
    return "not known" if seconds is None else words.seconds(seconds)
