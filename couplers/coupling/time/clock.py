"""Model time: the coupling intervals of a run, the steps within them, and the windows of a method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar, Time, calendar_of, refuse_mixed
from tradewind.errors import ConfigError

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Clock:
    """Equal coupling intervals from `start` to `stop`, two moments of one calendar.

    Attributes
    ----------
    step
        Length of one coupling interval; start to stop is a whole number of them.

    Raises
    ------
    ConfigError
        When `stop` is not after `start`, not a whole number of steps away, or of another calendar.
    """

    start: Time
    stop: Time
    step: timedelta

    def __post_init__(self) -> None:
        refuse_mixed(self.stop, self.start, where="clock")
        if self.step <= timedelta(0) or self.stop <= self.start:
            raise ConfigError(
                f"no steps of {self.step} lie between {self.start} and {self.stop}", where="clock"
            )
        if (self.stop - self.start) % self.step:
            raise ConfigError(
                f"{self.stop - self.start} is not a whole number of steps of {self.step}", where="clock"
            )

    def __len__(self) -> int:
        return (self.stop - self.start) // self.step

    def __iter__(self) -> Iterator[Interval]:
        return self.between(self.start, self.stop)

    @property
    def calendar(self) -> Calendar:
        """The calendar of all its moments."""
        return calendar_of(self.start)

    def is_edge(self, time: Time) -> bool:
        """Return whether a coupling interval begins or ends at `time`.

        Raises
        ------
        ConfigError
            When `time` is of another calendar.
        """
        refuse_mixed(time, self.start, where="clock")
        return self.start <= time <= self.stop and not (time - self.start) % self.step

    def between(self, start: Time, stop: Time) -> Iterator[Interval]:
        """Yield the coupling intervals between two of the clock's edges.

        Raises
        ------
        ConfigError
            When either time is not an edge of the clock, or of another calendar.
        """
        for time in (start, stop):
            if not self.is_edge(time):
                raise ConfigError(
                    f"{time} is not an edge of the clock", where="clock", hint=f"steps of {self.step}"
                )
        for k in range((stop - start) // self.step):
            yield Interval(start + k * self.step, start + (k + 1) * self.step)

    def nested(self, step: timedelta, where: str = "clock") -> int:
        """Return how many steps of a component make one coupling interval.

        Parameters
        ----------
        where
            The component, for errors.

        Raises
        ------
        ConfigError
            When they do not divide it.
        """
        what = f"steps of {step} do not divide the coupling interval of {self.step}"
        if step <= timedelta(0):
            raise ConfigError(what, where=where)
        if self.step % step:
            raise ConfigError(what, where=where, hint=f"{longest_divisor(self.step, step)} would")
        return self.step // step

    def windows(self, length: timedelta) -> tuple[Interval, ...]:
        """Cut the run into consecutive windows of `length`.

        Raises
        ------
        ConfigError
            When `length` is not a whole number of steps, or the run not a whole number of windows.
        """
        if length <= timedelta(0) or length % self.step or (self.stop - self.start) % length:
            raise ConfigError(
                f"windows of {length} do not fit steps of {self.step} from {self.start} to {self.stop}",
                where="clock",
            )
        count = (self.stop - self.start) // length
        return tuple(Interval(self.start + k * length, self.start + (k + 1) * length) for k in range(count))


def longest_divisor(whole: timedelta, limit: timedelta) -> timedelta:
    """Return the longest step that divides `whole` and is not above `limit`; in whole seconds if possible.

    Parameters
    ----------
    whole, limit
        Longer than nothing.
    """
    least = -(-whole // limit)
    tidy = (n for n in range(least, whole // SECOND + 1) if not whole % (n * SECOND))
    return whole / next(tidy, least)
