"""Model time: the coupling intervals of a run, and the windows that a method works in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ConfigError


@dataclass(frozen=True)
class Clock:
    """Equal coupling intervals from `start` to `stop`.

    Attributes
    ----------
    step
        Length of one coupling interval; start to stop is a whole number of them.

    Raises
    ------
    ConfigError
        When `stop` is not after `start`, or not a whole number of steps away.
    """

    start: datetime
    stop: datetime
    step: timedelta

    def __post_init__(self) -> None:
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

    def between(self, start: datetime, stop: datetime) -> Iterator[Interval]:
        """Yield the coupling intervals between two of the clock's edges.

        Raises
        ------
        ConfigError
            When either time is not an edge of the clock.
        """
        for time in (start, stop):
            if (time - self.start) % self.step or not self.start <= time <= self.stop:
                raise ConfigError(
                    f"{time} is not an edge of the clock", where="clock", hint=f"steps of {self.step}"
                )
        for k in range((stop - start) // self.step):
            yield Interval(start + k * self.step, start + (k + 1) * self.step)

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
