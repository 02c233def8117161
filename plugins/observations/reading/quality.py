"""Limits beyond which an observation is not used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.errors import DataError
from tradewind.plugins.observations.options import SoundingOptions
from tradewind.plugins.observations.reading.formats import FORMATS
from tradewind.plugins.observations.reading.soundings import QUALITY, Soundings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags: TypeAlias = NDArray[np.bool_]

FLAG = "quality flag"


def limits(soundings: Soundings, options: SoundingOptions) -> Iterator[tuple[str, Flags]]:
    """Yield why an observation is not to be used, and which are so."""
    if options.between is not None:
        low, high = options.between
        outside = (soundings.value < low) | (soundings.value > high)
        yield f"its value is not between {low:g} and {high:g}", outside
    if options.max_uncertainty is not None:
        yield (
            f"its uncertainty is above {options.max_uncertainty:g}",
            soundings.sigma > options.max_uncertainty,
        )
    if options.flag is not None:
        bad = ~np.isin(soundings.more[FLAG], options.flag.good)
        yield f"its {options.flag.variable} is none of {', '.join(map(str, options.flag.good))}", bad
    for name, wanted in FORMATS[options.format].ranges(options).items():
        yield f"its {name} is {wanted}", wanted.beyond(soundings.more[f"{QUALITY}{name}"])


class Sieve:
    """Observations from which those that cannot be used are left out, and counted by reason.

    Parameters
    ----------
    soundings
        As read.

    Attributes
    ----------
    notes
        How many of how many were left out, and why.
    counts
        How many, by reason.
    """

    def __init__(self, soundings: Soundings) -> None:
        self.kept = soundings
        self.notes: list[str] = []
        self.counts: dict[str, int] = {}

    def drop(self, reason: str, which: Flags) -> None:
        """Leave some out, shape ``(m,)`` of those that are kept."""
        self.drop_all(iter([(reason, which)]))

    def drop_all(self, faults: Iterator[tuple[str, Flags]]) -> None:
        """Leave out all that are at fault; those with several are counted once."""
        total, usable = len(self.kept), np.ones(len(self.kept), dtype=bool)
        for reason, bad in faults:
            count = int((bad & usable).sum())
            usable &= ~bad
            if count:
                self.notes.append(f"{count} of {total} observations dropped: {reason}")
                self.counts[reason] = self.counts.get(reason, 0) + count
        self.kept = self.kept.take(usable)

    def refuse_nothing(self, where: str) -> None:
        """Refuse to go on with nothing.

        Raises
        ------
        DataError
            When nothing is kept.
        """
        if not len(self.kept):
            reasons = "; ".join(self.notes) or "it is empty"
            raise DataError(f"no observation can be used: {reasons}", where=where)
