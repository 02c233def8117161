"""In which order the components of a coupled run step within one coupling interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tradewind.errors import ConfigError

ZERO = timedelta(0)


@dataclass(frozen=True)
class Need:
    """A step of `target` in period k needs `source` to have passed the end of period k - `lag`."""

    source: str
    target: str
    every: timedelta
    lag: int = 0

    def bound(self, start: timedelta) -> timedelta:
        """Return how far the source must have come before a step of the target that begins at `start`."""
        return (start // self.every + 1 - self.lag) * self.every


@dataclass(frozen=True)
class Call:
    """One step of one component, by time since the beginning of the coupling interval."""

    component: str
    start: timedelta
    stop: timedelta


def derive(steps: Mapping[str, timedelta], needs: Sequence[Need], cycle: timedelta) -> tuple[Call, ...]:
    """Return every step within one coupling interval, each after those that it needs.

    Of the steps that could be next, the one that begins first is, then the one declared first.

    Parameters
    ----------
    steps
        Length of each component's step, in the declared order; all divide `cycle`.
    needs
        What the exchanges ask for.
    cycle
        The coupling interval.

    Raises
    ------
    ConfigError
        When components wait for each other in a circle.
    """
    making = _Making(steps, needs, cycle)
    while making.unfinished:
        making.go_on()
    return tuple(making.calls)


@dataclass
class _Making:
    """A sequence in the making."""

    steps: Mapping[str, timedelta]
    needs: Sequence[Need]
    cycle: timedelta
    calls: list[Call] = field(default_factory=list)
    at: dict[str, timedelta] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.at = dict.fromkeys(self.steps, ZERO)

    @property
    def unfinished(self) -> list[str]:
        return [name for name, time in self.at.items() if time < self.cycle]

    def go_on(self) -> None:
        ready = [name for name in self.unfinished if self._waits_for(name) is None]
        if not ready:
            self._refuse_circle()
        name = min(ready, key=lambda n: self.at[n])
        start = self.at[name]
        self.at[name] = start + self.steps[name]
        self.calls.append(Call(name, start, self.at[name]))

    def _waits_for(self, name: str) -> str | None:
        start = self.at[name]
        own = (need for need in self.needs if need.target == name and need.source in self.at)
        return next((n.source for n in own if self.at[n.source] < n.bound(start)), None)

    def _refuse_circle(self) -> None:
        path = [self.unfinished[0]]
        while path[-1] not in path[:-1]:
            path.append(str(self._waits_for(path[-1])))
        circle = path[path.index(path[-1]) :]
        raise ConfigError(
            f"exchanges form a circle: {' -> '.join(reversed(circle))}", where="exchanges",
            hint="give one of them a lag, or leave one out and put its import",
        )  # fmt: skip
