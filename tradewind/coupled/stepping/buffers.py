"""What a channel holds between the steps of its source and those of its target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from tradewind.coupled.stepping.plan import Give, Take
from tradewind.couplers.coupling.time.timing import Reduction


class Tally(NamedTuple):
    """The ledger's figures of the period that the target is in, up to now."""

    left: float = 0.0
    arrived: float = 0.0
    unmapped: float = 0.0
    withheld: float = 0.0

    def plus(self, other: Tally, share: float) -> Tally:
        """Return this tally with `share` of another."""
        return Tally(
            self.left + share * other.left,
            self.arrived + share * other.arrived,
            self.unmapped + share * other.unmapped,
            self.withheld + share * other.withheld,
        )


class Buffer(NamedTuple):
    """What a channel remembers: a value, like the moment that holds it, so its mappings are never changed.

    Attributes
    ----------
    windows
        By number of the period since the start of the run, negative before it: its value, or what has come
        together of it, shape ``(member, *extra, source cell)``.
    left
        By the same numbers: what the ledger has counted at the source.
    tally
        Of the period that the target is in.
    """

    windows: Mapping[int, Tensor]
    left: Mapping[int, float]
    tally: Tally = Tally()

    def closed(self, before: int) -> Buffer:
        """Return the buffer at the end of a period, without those before `before`, which nobody asks for."""
        if max(self.windows) < before:
            return EMPTY
        windows = {k: v for k, v in self.windows.items() if k >= before}
        return Buffer(windows, {k: v for k, v in self.left.items() if k >= before})


EMPTY = Buffer({}, {})
"""Of a channel that waits for nothing."""


def accumulated(windows: Mapping[int, Tensor], take: Take, base: int, value: Tensor) -> dict[int, Tensor]:
    """Return `windows` with a step's export, weighted; for linear reductions, and for tangents.

    Parameters
    ----------
    base
        Number of the first period of the coupling interval.
    value
        Shape ``(..., source cell)``.
    """
    if not take.weight:
        return dict(windows)
    number = base + take.window
    part = value if take.weight == 1.0 else take.weight * value
    return {**windows, number: windows[number] + part if number in windows else part}


def extreme(
    windows: Mapping[int, Tensor], take: Take, base: int, value: Tensor
) -> tuple[dict[int, Tensor], Tensor]:
    """Return `windows` with the smaller (or larger) of what is there and `value`, and where it was taken.

    On a tie the earlier stays; what is not a number stays one.
    """
    number = base + take.window
    if number not in windows:
        return {**windows, number: value}, torch.ones_like(value, dtype=torch.bool)
    known = windows[number]
    better = value < known if take.channel.timing.reduction is Reduction.MIN else value > known
    # neither comparison holds for NaN: what is there already stays, what comes is taken
    better = better | value.isnan()
    return {**windows, number: torch.where(better, value, known)}, better


def mixed(windows: Mapping[int, Tensor], give: Give, base: int) -> Tensor | None:
    """Return what is given of the values in `windows`, None where there is none of them."""
    total = None
    for window, weight in give.terms:
        value = windows.get(base + window)
        if value is not None:
            part = value if weight == 1.0 else weight * value
            total = part if total is None else total + part
    return total
