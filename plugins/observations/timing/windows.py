"""Dealing observations to windows: sorted once, found by bisection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar, calendar_of
from tradewind.errors import ConfigError
from tradewind.plugins.observations.timing.parts import Moments, Parts, Timing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Times: TypeAlias = NDArray[np.datetime64]
    Indices: TypeAlias = NDArray[np.int64]
    Faults: TypeAlias = tuple[tuple[str, NDArray[np.bool_]], ...]

MINUTE = timedelta(minutes=1)
OUTSIDE = "they were made in no window"
MICRO = 1000
"""Nanoseconds in a microsecond."""


def nanoseconds(length: timedelta) -> int:
    """Return a length in nanoseconds, exactly."""
    return (length // timedelta(microseconds=1)) * MICRO


def tolerance_of(wanted: float | None, step: timedelta) -> timedelta:
    """Return by how much an observation may miss the end of a step: a minute, less where steps are short.

    Parameters
    ----------
    wanted
        As the config has it, seconds.

    Raises
    ------
    ConfigError
        When it would join two steps.
    """
    if wanted is None:
        return min(MINUTE, step / 3)
    if 2 * wanted >= step.total_seconds():
        what = f"a tolerance of {wanted:g} s, but steps end {step.total_seconds():g} s apart"
        raise ConfigError(what, where="observations", hint="make `tolerance` less than half of that")
    return timedelta(seconds=wanted)


@dataclass(frozen=True)
class Dealt:
    """Observations in the order of their windows, within each in the order of the file.

    Attributes
    ----------
    order
        Position in the file of each observation that has a window, shape ``(k,)``.
    bounds
        Those of window w are ``order[bounds[w]:bounds[w + 1]]``, in the order in which windows were given.
    parts
        What they look at, in the same order.
    notes
        How many observations have no window, and why.
    lost
        The same by reason.
    """

    order: Indices
    bounds: Indices
    parts: Parts
    notes: tuple[str, ...]
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Dealer:
    """Finds the window of each observation, and the steps that it looks at.

    Attributes
    ----------
    step
        Of the observed component.
    tolerance
        By how much an observation may miss the end of a step.
    timing
        How it looks at time.
    initial
        Whether there is something to see as a window begins.
    """

    step: timedelta
    tolerance: timedelta
    timing: Timing
    initial: bool

    def deal(self, times: Times, windows: Sequence[Interval]) -> Dealt:
        """Return observations made at `times` by window.

        What was made where two windows meet belongs to the first of them.
        """
        starts, stops = (edges(windows, end) for end in ("start", "stop"))
        by_stop = np.argsort(stops, kind="stable")
        made, tolerance = times.astype("datetime64[ns]").astype(np.int64), nanoseconds(self.tolerance)
        found = np.searchsorted(stops[by_stop], made - tolerance)
        window = by_stop[np.minimum(found, len(windows) - 1)]
        since = made - starts[window]
        parts = self.timing.parts(Moments(since, nanoseconds(self.step), tolerance, 0 if self.initial else 1))
        outside = (found == len(windows)) | (since < -tolerance)
        return _sorted(window, parts, ((OUTSIDE, outside), *parts.faults), len(windows))


def _sorted(window: Indices, parts: Parts, faults: Faults, count: int) -> Dealt:
    usable, lost = np.ones(len(window), dtype=bool), {}
    for reason, bad in faults:
        lost[reason] = int((bad & usable).sum())
        usable &= ~bad
    total = len(window)
    notes = tuple(f"{n} of {total} observations left out: {why}" for why, n in lost.items() if n)
    kept = np.flatnonzero(usable)
    order = kept[np.argsort(window[kept], kind="stable")]
    bounds = np.searchsorted(window[order], np.arange(count + 1))
    return Dealt(order, bounds, Parts(parts.position[order], parts.weight[order]), notes, lost)


def edges(windows: Sequence[Interval], end: str) -> Indices:
    """Return where windows ``start`` or ``stop``, nanoseconds, int64."""
    times = np.array([getattr(w, end) for w in windows], dtype="datetime64[us]")
    return times.astype("datetime64[ns]").astype(np.int64)


def refuse_other_calendar(windows: Sequence[Interval], where: str) -> None:
    """Refuse windows of another calendar than that of observations.

    Raises
    ------
    ConfigError
        When there is one.
    """
    calendars = {calendar_of(w.stop) for w in (*windows[:1], *windows[-1:])} - {Calendar.STANDARD}
    if calendars:
        what = f"observations are made in the standard calendar, the run's is {min(calendars)}"
        raise ConfigError(what, where=where, hint="run.calendar: standard")
