"""Observations that were read but never came as far as a window, counted by reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tradewind.couplers.assimilation.observing import ObservationNetwork, PreparedOperator
from tradewind.couplers.assimilation.observing.summed import SummedOperator

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import ObservationOperator


@dataclass(frozen=True)
class Dropped:
    """How many observations of a stream were left out for one reason; an orbit that failed counts as one."""

    stream: str
    reason: str
    count: int


@runtime_checkable
class CountsDropped(Protocol):
    """An observation operator that counts what it leaves out, by reason.

    Attributes
    ----------
    dropped
        Counts by reason, in the order in which they were found.
    """

    dropped: Mapping[str, int]


def dropped(observe: ObservationOperator, stream: str = "observations") -> Iterator[Dropped]:
    """Yield what an observation operator, or each stream of a network, has left out.

    Parameters
    ----------
    stream
        What observations of a lone operator are called.
    """
    if isinstance(observe, ObservationNetwork):
        for name, part in observe.streams.items():
            yield from dropped(part, name)
    elif isinstance(observe, PreparedOperator | SummedOperator):
        yield from dropped(observe.operator, stream)
    elif isinstance(observe, CountsDropped):
        yield from (Dropped(stream, reason, count) for reason, count in observe.dropped.items() if count)
