"""Which components depend on which: what must be differentiated, and what can be passed over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from tradewind.couplers.coupling.exchange import Exchange

Lead: TypeAlias = tuple[str, str]
"""A component, and one that an exchange leads to from there."""


def leads(exchanges: Iterable[Exchange]) -> Iterator[Lead]:
    """Yield where exchanges lead, and the moving fractions of these."""
    for exchange in exchanges:
        yield exchange.source.component, exchange.target.component
        if exchange.moving is not None:
            yield exchange.moving.source.component, exchange.target.component


def reached(exchanges: Iterable[Exchange], components: Iterable[str]) -> frozenset[str]:
    """Return `components`, and all that exchanges lead to from there."""
    return _closure(set(leads(exchanges)), components)


def between(exchanges: Iterable[Exchange], first: str, last: str) -> frozenset[str]:
    """Return all components on any way from `first` to `last`, with these; none where there is no way."""
    forward = set(leads(exchanges))
    back = {(target, source) for source, target in forward}
    return _closure(forward, {first}) & _closure(back, {last})


def on_the_way(exchanges: Iterable[Exchange], given: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """Return all components on any way from any port of `given` to any of `wanted`, with these.

    Parameters
    ----------
    given, wanted
        Each ``component.variable``.
    """
    known = list(exchanges)
    firsts, lasts = ({port.partition(".")[0] for port in ports} for ports in (given, wanted))
    return frozenset().union(*(between(known, first, last) for first in firsts for last in lasts))


def _closure(of: set[Lead], components: Iterable[str]) -> frozenset[str]:
    found = set(components)
    while new := {target for source, target in of if source in found} - found:
        found |= new
    return frozenset(found)
