"""The steps of one coupling interval as people read them: nested intervals, and what is given before each.

Such as, for a source that steps hourly and a model that steps every six hours::

    every 6 h:
      every 1 h:
        wetlands
      wetlands.methane_flux -> transport.methane_flux (mean over 6 h, lag 6 h)
      transport
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from tradewind.coupled.stepping.plan import Channel, Plan
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction

INDENT = "  "
LONGEST = 100
"""Steps in a row that are looked for again: more of them no reader sees as one."""
UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}
WORDS = {Reduction.INSTANT: "last of", Reduction.MIN: "minimum over", Reduction.MAX: "maximum over"}


@dataclass(frozen=True)
class Again:
    """Steps that are taken several times in a row."""

    count: int
    body: tuple[Item, ...]


Item: TypeAlias = "str | Again"
"""One component's step by its name, or several that repeat."""


def timetable(plan: Plan) -> Iterator[str]:
    """Yield the lines of one coupling interval."""
    lengths = {planned.call.component: planned.call.stop - planned.call.start for planned in plan.steps}
    given = {name: tuple(_given(plan, name)) for name in lengths}
    items = folded([planned.call.component for planned in plan.steps])
    yield f"every {spoken(plan.cycle)}:"
    yield from _lines(items, lengths, given)


def folded(names: Sequence[str]) -> tuple[Item, ...]:
    """Return steps with those that repeat in a row told once, the innermost first."""
    items: tuple[Item, ...] = tuple(names)
    length = 1
    while length <= min(len(items) // 2, LONGEST):
        before, items = len(items), tuple(_fold(items, length))
        # what was put together may now repeat in a shorter row
        length = length + 1 if len(items) == before else 1
    return items


def _fold(items: Sequence[Item], length: int) -> Iterator[Item]:
    """Yield the items, with equal neighbours of `length` items put together."""
    at = 0
    while at < len(items):
        block, count = tuple(items[at : at + length]), 1
        while tuple(items[at + count * length : at + (count + 1) * length]) == block:
            count += 1
        if count > 1:
            yield Again(count, block)
            at += count * length
        else:
            yield items[at]
            at += 1


def _lines(
    items: Sequence[Item], lengths: Mapping[str, timedelta], given: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for item in items:
        if isinstance(item, Again):
            yield f"{INDENT}{_how_often(item, lengths)}:"
            yield from (INDENT + line for line in _lines(item.body, lengths, given))
        else:
            yield from (INDENT + line for line in given[item])
            yield INDENT + item


def _how_often(again: Again, lengths: Mapping[str, timedelta]) -> str:
    """Return ``every 1 h`` where all steps of the body take as long together, else how many times."""
    covered = {count * lengths[name] for name, count in _counts(again.body).items()}
    return f"every {spoken(covered.pop())}" if len(covered) == 1 else f"{again.count} times"


def _counts(items: Sequence[Item]) -> dict[str, int]:
    """Return how many steps of each component there are."""
    found: dict[str, int] = {}
    for item in items:
        times, inner = (item.count, _counts(item.body)) if isinstance(item, Again) else (1, {item: 1})
        for name, count in inner.items():
            found[name] = found.get(name, 0) + times * count
    return found


# ---------------------------------------------------------------------- exchanges
def _given(plan: Plan, component: str) -> Iterator[str]:
    fractions = [channel.exchange.moving for channel in plan.channels]
    for channel in plan.channels:
        moving = any(channel.exchange is fraction for fraction in fractions)
        if channel.exchange.target.component == component and not moving:
            yield f"{channel.exchange.name}{_in_brackets(channel)}"


def _in_brackets(channel: Channel) -> str:
    words = list(timing_words(channel))
    if channel.exchange.moving is not None:
        words.append(f"times {channel.exchange.moving.source.port}")
    return f" ({', '.join(words)})" if words else ""


def timing_words(channel: Channel) -> Iterator[str]:
    """Yield what an exchange makes of time; nothing where each step of one end feeds one of the other."""
    timing, period = channel.timing, spoken(channel.every)
    if channel.source_step < channel.every:
        yield f"{WORDS.get(timing.reduction, f'{timing.reduction} over')} {period}"
    elif timing.reduction is Reduction.INTEGRAL:
        yield f"integral over {period}"
    if timing.lag:
        yield f"lag {spoken(timing.lag * channel.every)}"
    if timing.interpolation is not Interpolation.NONE:
        yield f"{timing.interpolation} in time"
    elif channel.target_step < channel.every:
        yield f"held for {period}"


def spoken(length: timedelta) -> str:
    """Return a length of time as ``6 h``, ``1 d 12 h`` or ``90.5 s``."""
    words = []
    for unit, size in UNITS.items():
        count, length = divmod(length, size)
        if count:
            words.append(f"{count} {unit}")
    if length or not words:
        words.append(f"{length.total_seconds():g} s")
    return " ".join(words)
