"""The dates of records laid out in the time of a run: its calendar, and the years that a cycle repeats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar, Time, calendar_of
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import MICROSECOND
from tradewind.errors import DataError
from tradewind.plugins.prescribed import options as said
from tradewind.plugins.prescribed.options import Cycle, Moment, TimeMethod
from tradewind.plugins.prescribed.series.dates import Dates, midpoint
from tradewind.plugins.prescribed.series.weights import Axis, NotCoveredError, Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

LONG_GAP = 3
"""A cycle without bounds may have gaps up to this many times as long as its median gap."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Which records a step is given.

    Attributes
    ----------
    dates
        Of the records.
    method, moment
        What is made of them, and where in a step (but for means).
    by_date
        What is made of another calendar than the run's.
    where
        File and variable, for errors.
    """

    dates: Dates
    method: TimeMethod
    moment: Moment
    cycle: Cycle = Cycle.NONE
    by_date: said.Dates = said.Dates.REFUSE
    where: str = ""
    _kept: dict[tuple[Calendar, int, int], tuple[Time, Axis]] = field(default_factory=dict)

    def weights(self, interval: Interval) -> Weights:
        """Return records and their weights for a step.

        Raises
        ------
        DataError
            When the data do not cover it; both periods are named.
        """
        origin, axis = self._axis(interval)
        ticks = ((time - origin) // MICROSECOND for time in (interval.start, interval.stop))
        try:
            if self.method is TimeMethod.MEAN:
                return axis.mean(*ticks)
            return axis.at((self._time(interval) - origin) // MICROSECOND, self.method)
        except NotCoveredError as error:
            raise self._not_covered(interval, error) from error

    def refuse_uncovered(self, clock: Clock) -> None:
        """Refuse a run of which the data leave out a part.

        Raises
        ------
        DataError
            Both periods are named.
        """
        whole = Interval(clock.start, clock.stop)
        first = Interval(clock.start, clock.start + clock.step)
        last = Interval(clock.stop - clock.step, clock.stop)
        origin, axis = self._axis(whole)
        if self.method is TimeMethod.MEAN:
            asked = (clock.start, clock.stop)
        else:
            asked = (self._time(first), self._time(last))
        a, b = ((time - origin) // MICROSECOND for time in asked)
        try:
            axis.refuse_uncovered(a, b)
        except NotCoveredError as error:
            raise self._not_covered(whole, error) from error

    def _time(self, interval: Interval) -> Time:
        if self.moment is Moment.MIDDLE:
            return midpoint(interval)
        return interval.start if self.moment is Moment.START else interval.stop

    def _not_covered(self, interval: Interval, error: NotCoveredError) -> DataError:
        first, last = self.dates.span
        whole = "leave a gap in" if error.what == "gap" else "do not cover"
        hint = f"they hold from {first} to {last}"
        return DataError(f"the data {whole} {interval.start} to {interval.stop}", where=self.where, hint=hint)

    # ------------------------------------------------------------------ axes
    def _axis(self, interval: Interval) -> tuple[Time, Axis]:
        """Return the records around `interval`, and the moment that their time is counted from."""
        calendar = calendar_of(interval.start)
        years = (interval.start.year, interval.stop.year) if self.cycle is Cycle.YEAR else (0, 0)
        key = (calendar, *years)
        if key not in self._kept:
            if len(self._kept) > 1:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = self._made(*key)
        return self._kept[key]

    def _made(self, calendar: Calendar, first: int, last: int) -> tuple[Time, Axis]:
        if self.cycle is Cycle.YEAR:
            laid = [entry for year in range(first - 1, last + 2) for entry in self._of_year(calendar, year)]
        elif calendar is self.dates.calendar:
            laid = _as_written(self.dates)
        else:
            self._refuse_calendar(calendar)
            laid = list(_by_date(self.dates, calendar))
        if not laid:
            raise DataError(f"no record has a date of the {calendar} calendar", where=self.where)
        return _counted(laid)

    def _refuse_calendar(self, calendar: Calendar) -> None:
        if self.by_date is said.Dates.REFUSE:
            what = f"the data have the calendar {self.dates.calendar}, the run has {calendar}"
            hint = "`calendar: by_date` takes them by date, or set run.calendar"
            raise DataError(what, where=self.where, hint=hint)

    def _of_year(self, calendar: Calendar, year: int) -> list[Laid]:
        """Return the records of a climatology in one year, in order."""
        found = [entry for k in range(len(self.dates)) for entry in _in_year(self.dates, k, calendar, year)]
        found.sort(key=lambda entry: entry.start)
        for a, b in pairwise(found):
            if b.start < a.stop or b.start == a.start:
                what = f"several records hold at {b.start:%m-%d %H:%M}: these are several years"
                raise DataError(what, where=self.where, hint="a cycle is made of one")
        if self.dates.edges is None:
            self._refuse_part_of_a_year([entry.start for entry in found])
        return found

    def _refuse_part_of_a_year(self, times: Sequence[Time]) -> None:
        gaps = [b - a for a, b in pairwise(times)]
        if not gaps:
            return
        gaps.append(timedelta(days=360) - (times[-1] - times[0]))
        longest = max(range(len(gaps)), key=gaps.__getitem__)
        if gaps[longest] > LONG_GAP * sorted(gaps)[len(gaps) // 2]:
            what = f"nothing is known for {gaps[longest].days} days from {times[longest]:%m-%d} on"
            raise DataError(what, where=self.where, hint="a cycle needs the whole year")


@dataclass(frozen=True)
class Laid:
    """One record in the time of the run; a point begins where it ends."""

    start: Time
    stop: Time
    record: int


def _as_written(dates: Dates) -> list[Laid]:
    edges = dates.edges or tuple((time, time) for time in dates.times)
    return [Laid(start, stop, k) for k, (start, stop) in enumerate(edges)]


def _counted(laid: list[Laid]) -> tuple[Time, Axis]:
    origin = laid[0].start
    edges = np.array(
        [[(entry.start - origin) // MICROSECOND, (entry.stop - origin) // MICROSECOND] for entry in laid]
    )
    record = np.array([entry.record for entry in laid])
    bounded = bool((edges[:, 1] > edges[:, 0]).any())
    return origin, Axis(edges.sum(1) // 2, edges if bounded else None, record)


def _by_date(dates: Dates, calendar: Calendar) -> Iterator[Laid]:
    """Yield the records by their dates in another calendar; those of dates that it lacks are left out."""
    for k, time in enumerate(dates.times):
        if dates.edges is None:
            if exists(time, time.year, calendar):
                at = placed(time, time.year, calendar)
                yield Laid(at, at, k)
            continue
        start, stop = (placed(edge, edge.year, calendar) for edge in dates.edges[k])
        if start < stop:
            yield Laid(start, stop, k)


def _in_year(dates: Dates, k: int, calendar: Calendar, year: int) -> Iterator[Laid]:
    """Yield record `k` in `year`, or nothing where its date does not exist there."""
    if dates.edges is None:
        if exists(dates.times[k], year, calendar):
            at = placed(dates.times[k], year, calendar)
            yield Laid(at, at, k)
        return
    first, last = dates.edges[k]
    # what ends on a date that is not later begins a year before
    over = _label(last) <= _label(first)
    start, stop = placed(first, year, calendar), placed(last, year + over, calendar)
    if start < stop:
        yield Laid(start, stop, k)


def _label(time: Time) -> tuple[int, ...]:
    return time.month, time.day, time.hour, time.minute, time.second, time.microsecond


def exists(time: Time, year: int, calendar: Calendar) -> bool:
    """Return whether the date of `time` exists in `year` of `calendar`."""
    return time.day <= calendar.days_in_month(year, time.month)


def placed(time: Time, year: int, calendar: Calendar) -> Time:
    """Return the date and time of day of `time` in `year` of `calendar`.

    A date that does not exist becomes the first moment after it, the begin of the next month.
    """
    if exists(time, year, calendar):
        return calendar.time(year, *_label(time))
    later = year + (time.month == 12), time.month % 12 + 1
    return calendar.time(*later)
