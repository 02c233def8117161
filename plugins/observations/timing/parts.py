"""The steps of a window whose ends an observation looks at, and with what weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Indices: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Parts:
    """What observations look at, in steps.

    Attributes
    ----------
    position
        Steps from the window's start to the end of the one that is looked at, shape ``(m, p)``; 0 is the
        window's start.
    weight
        What each counts for, shape ``(m, p)``; 0: nothing.
    faults
        Why an observation cannot be looked at, and which are so, bool of shape ``(m,)``.
    """

    position: Indices
    weight: Array
    faults: tuple[tuple[str, Flags], ...] = ()


@dataclass(frozen=True)
class Moments:
    """When observations were made, in nanoseconds.

    Attributes
    ----------
    since
        Since the window's start, shape ``(m,)``.
    step
        Length of a step.
    tolerance
        By how much a step's end may be missed.
    first
        The first position at which there is something: 0 where a window begins with a value, else 1.
    """

    since: Indices
    step: int
    tolerance: int
    first: int

    def nearest(self) -> Indices:
        """Return the position of the nearest end of a step, shape ``(m,)``."""
        return (self.since + self.step // 2) // self.step

    def missed(self) -> Flags:
        """Return which observations miss every end of a step by more than the tolerance."""
        return np.asarray(np.abs(self.since - self.nearest() * self.step) > self.tolerance)

    def too_early(self, position: Indices) -> Flags:
        """Return at which positions there is nothing yet."""
        return np.asarray(position < self.first)


class Timing(Protocol):
    """How observations look at time."""

    def parts(self, moments: Moments) -> Parts:
        """Return what each observation looks at."""


NO_END = "they were made at the end of no step"
NOTHING_YET = "they were made before the end of the window's first step"
TOO_LONG = "their mean begins before the window"


class AtEnd:
    """At the end of the step on which an observation falls, within the tolerance."""

    def parts(self, moments: Moments) -> Parts:
        """Return one part each."""
        position = moments.nearest()[:, None]
        faults = (NO_END, moments.missed()), (NOTHING_YET, moments.too_early(position[:, 0]))
        return Parts(position, np.ones(position.shape), faults)


class Between:
    """Linear in time between the ends of two steps; within the tolerance of one, that one alone."""

    def parts(self, moments: Moments) -> Parts:
        """Return two parts each."""
        before = moments.since // moments.step
        share = (moments.since - before * moments.step) / moments.step
        on_time = ~moments.missed()
        before = np.where(on_time, moments.nearest() - 1, before)
        share = np.where(on_time, 1.0, share)
        position, weight = np.stack([before, before + 1], axis=1), np.stack([1.0 - share, share], axis=1)
        early = np.asarray((moments.too_early(position) & (weight > 0)).any(axis=1))
        return Parts(position, weight, ((NOTHING_YET, early),))


@dataclass(frozen=True)
class MeanBefore:
    """The mean over the steps that end in a time before an observation, (t - duration, t].

    Attributes
    ----------
    steps
        How many these are.
    """

    steps: int

    def parts(self, moments: Moments) -> Parts:
        """Return as many parts as steps."""
        last = moments.nearest()
        position = last[:, None] - np.arange(self.steps)[::-1]
        faults = (NO_END, moments.missed()), (TOO_LONG, np.asarray((position < 1).any(axis=1)))
        return Parts(position, np.full(position.shape, 1.0 / self.steps), faults)


@dataclass(frozen=True)
class Lags:
    """The steps that end a number of steps before an observation; before the window there is nothing to see.

    Attributes
    ----------
    steps
        How many steps each part lies back, shape ``(p,)``.
    weight
        Of each part.
    """

    steps: Indices
    weight: float = 1.0

    def parts(self, moments: Moments) -> Parts:
        """Return as many parts as lags."""
        last = moments.nearest()
        position = last[:, None] - np.asarray(self.steps)
        inside = position >= 1
        faults = (NO_END, moments.missed()), (NOTHING_YET, np.asarray(~inside.any(axis=1)))
        return Parts(np.where(inside, position, 1), np.where(inside, self.weight, 0.0), faults)
