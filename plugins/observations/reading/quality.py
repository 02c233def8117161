"""Limits beyond which an observation is not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np

from tradewind.errors import DataError
from tradewind.plugins.observations.options import SoundingOptions
from tradewind.plugins.observations.reading.formats import FORMATS
from tradewind.plugins.observations.reading.soundings import QUALITY, Soundings, joined

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


@dataclass(frozen=True)
class Stage:
    """What was left out at once.

    Attributes
    ----------
    total
        How many there were before.
    counts
        How many were left out, by reason.
    """

    total: int
    counts: Mapping[str, int]

    @classmethod
    def summed(cls, stages: Sequence[Self]) -> Self:
        """Return the same stage of several files as one."""
        reasons = dict.fromkeys(reason for stage in stages for reason in stage.counts)
        counts = {reason: sum(stage.counts.get(reason, 0) for stage in stages) for reason in reasons}
        return cls(sum(stage.total for stage in stages), counts)


class Sieve:
    """Observations from which those that cannot be used are left out, and counted by reason.

    Parameters
    ----------
    soundings
        As read.

    Attributes
    ----------
    kept
        Those that can be used, so far.
    read
        How many there were.
    """

    def __init__(self, soundings: Soundings) -> None:
        self.kept, self.read = soundings, len(soundings)
        self._stages: list[Stage] = []

    @classmethod
    def joined(cls, sieves: Sequence[Self]) -> Self:
        """Return the observations of several files as one, sifted alike, as if they had been one file."""
        whole = cls(joined([s.kept for s in sieves], [s.read for s in sieves]))
        whole.read = sum(s.read for s in sieves)
        whole._stages = [Stage.summed(same) for same in zip(*(s._stages for s in sieves), strict=True)]
        return whole

    @property
    def notes(self) -> list[str]:
        """How many of how many were left out, and why."""
        return [
            f"{count} of {stage.total} observations dropped: {reason}"
            for stage in self._stages
            for reason, count in stage.counts.items()
            if count
        ]

    @property
    def counts(self) -> dict[str, int]:
        """How many were left out, by reason."""
        return dict(sum((Counter(stage.counts) for stage in self._stages), Counter()))

    def drop(self, reason: str, which: Flags) -> None:
        """Leave some out, shape ``(m,)`` of those that are kept."""
        self.drop_all(iter([(reason, which)]))

    def drop_all(self, faults: Iterator[tuple[str, Flags]]) -> None:
        """Leave out all that are at fault; those with several are counted once."""
        usable, counts = np.ones(len(self.kept), dtype=bool), {}
        for reason, bad in faults:
            counts[reason] = int((bad & usable).sum())
            usable &= ~bad
        self._stages.append(Stage(len(self.kept), counts))
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
