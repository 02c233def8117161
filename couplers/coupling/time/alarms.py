"""Alarms: moments of a run at which something is due, such as restart files and output.

They ring at the end of coupling intervals, because only there is a run's state complete; an alarm that
would ring anywhere else is refused when it is set, not lost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Time, calendar_of, refuse_mixed
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import ConfigError

MICROSECOND = timedelta(microseconds=1)


class Cycle(StrEnum):
    """What repeats by the calendar, in lengths that differ; it begins on the first at midnight."""

    MONTH = "month"
    YEAR = "year"


class Alarm(ABC):
    """Rings at moments of model time, by itself without an end."""

    @abstractmethod
    def after(self, time: Time) -> Time | None:
        """Return the first moment after `time` at which it rings; None when there is none."""

    def rings(self, interval: Interval) -> bool:
        """Return whether it falls on the end of `interval`."""
        return self.after(interval.stop - MICROSECOND) == interval.stop

    def within(self, clock: Clock) -> Iterator[Time]:
        """Yield when it rings in a run: after its start, up to and including its stop."""
        time = self.after(clock.start)
        while time is not None and time <= clock.stop:
            yield time
            time = self.after(time)

    def on(self, clock: Clock, where: str = "alarm") -> Alarm:
        """Return this alarm if every moment at which it rings is the end of one of the clock's intervals.

        Parameters
        ----------
        where
            What it is for, for errors.

        Raises
        ------
        ConfigError
            When it rings between two edges of the clock, or not at all.
        """
        silent = True
        for time in self.within(clock):
            silent = False
            if not clock.is_edge(time) or time == clock.start:
                what = f"{time} is the end of no step of {clock.step} from {clock.start} to {clock.stop}"
                raise ConfigError(what, where=where, hint="choose what falls together with the run's steps")
        if silent:
            what = f"it falls nowhere between {clock.start} and {clock.stop}"
            raise ConfigError(what, where=where, hint="choose one that is shorter than the run")
        return self


@dataclass(frozen=True)
class Every(Alarm):
    """Rings again and again after a fixed length of time.

    Attributes
    ----------
    since
        From when on it is counted; there itself it does not ring.

    Raises
    ------
    ConfigError
        When `length` is not longer than nothing.
    """

    length: timedelta
    since: Time

    def __post_init__(self) -> None:
        if self.length <= timedelta(0):
            raise ConfigError(f"every {self.length} is no time", where="alarm")

    def after(self, time: Time) -> Time:
        """Return the first ring after `time`."""
        refuse_mixed(time, self.since, where="alarm")
        return self.since + max((time - self.since) // self.length + 1, 1) * self.length


@dataclass(frozen=True)
class Monthly(Alarm):
    """Rings when a month begins, or every so many months, counted from January.

    Attributes
    ----------
    months
        1, 2, 3, 4, 6 or 12 (a year).
    offset
        How much later than on the first at midnight; earlier when negative.

    Raises
    ------
    ConfigError
        When `months` does not divide a year.
    """

    months: int = 1
    offset: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.months < 1 or 12 % self.months:
            raise ConfigError(f"{self.months} months do not divide a year", where="alarm")

    def after(self, time: Time) -> Time:
        """Return the first ring after `time`."""
        begun = time - self.offset
        years, months = divmod(((begun.month - 1) // self.months + 1) * self.months, 12)
        return calendar_of(time).time(begun.year + years, months + 1) + self.offset


@dataclass(frozen=True)
class At(Alarm):
    """Rings at given moments, in any order."""

    times: tuple[Time, ...]

    def after(self, time: Time) -> Time | None:
        """Return the first ring after `time`."""
        for own in self.times:
            refuse_mixed(own, time, where="alarm")
        return min((own for own in self.times if own > time), default=None)

    def within(self, clock: Clock) -> Iterator[Time]:
        """Yield all its moments: one outside of the run is a mistake."""
        return iter(self.times)


def alarm(rhythm: timedelta | Cycle, clock: Clock, where: str = "alarm") -> Alarm:
    """Return the alarm that a config asks for: every length of time from the clock's start, or a cycle.

    Parameters
    ----------
    where
        What it is for, for errors.

    Raises
    ------
    ConfigError
        When it would ring between two edges of the clock, or not at all.
    """
    if isinstance(rhythm, timedelta):
        return Every(rhythm, clock.start).on(clock, where)
    return Monthly(1 if rhythm is Cycle.MONTH else 12).on(clock, where)


def ringing(alarms: Mapping[str, Alarm], interval: Interval) -> tuple[str, ...]:
    """Return the names of the alarms that fall on the end of `interval`."""
    return tuple(name for name, one in alarms.items() if one.rings(interval))
