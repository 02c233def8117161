"""In which order the components of a coupled run step within one coupling interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tradewind.errors import ConfigError

ZERO = timedelta(0)


@dataclass(frozen=True)
class Need:
    """A step of `target` in period k needs `source` to have passed the end of period k - `lag`.

    Attributes
    ----------
    every
        Length of the periods.
    lag
        In periods.
    exchange
        Name of what brings it, for errors.
    """

    source: str
    target: str
    every: timedelta
    lag: int = 0
    exchange: str = ""

    def bound(self, start: timedelta) -> timedelta:
        """Return how far the source must have come before a step of the target that begins at `start`."""
        return (start // self.every + 1 - self.lag) * self.every

    def __str__(self) -> str:
        late = f", lag {self.lag * self.every}" if self.lag else ""
        return f"{self.exchange or f'{self.source} -> {self.target}'} (every {self.every}{late})"


@dataclass(frozen=True)
class Call:
    """One step of one component, by time since the beginning of the coupling interval."""

    component: str
    start: timedelta
    stop: timedelta


def derive(steps: Mapping[str, timedelta], needs: Sequence[Need], cycle: timedelta) -> tuple[Call, ...]:
    """Return every step within one coupling interval, each after those that it needs.

    Of the steps that could be next, the one that ends first is, then the shorter, then the one declared
    first: so short steps come together before a long one, as in nested intervals, unless they need it. Any
    other order that keeps the needs gives the same answers.

    Parameters
    ----------
    steps
        Length of each component's step, in the declared order; all divide `cycle`.
    needs
        What the exchanges ask for; those of components that are not in `steps` are met already.
    cycle
        The coupling interval.

    Raises
    ------
    ConfigError
        When components wait for each other in a circle, or a step or period does not divide `cycle`.
    """
    _refuse_uneven(steps, needs, cycle)
    making = _Making(steps, needs, cycle)
    while making.unfinished:
        making.go_on()
    return tuple(making.calls)


def refuse_order(order: Sequence[str], needs: Sequence[Need]) -> None:
    """Refuse an order in which a component stands before one whose export of the same period it needs.

    Parameters
    ----------
    order
        Names, each once.

    Raises
    ------
    ConfigError
        Naming both and the exchange.
    """
    place = {name: i for i, name in enumerate(order)}
    for need in needs:
        if not need.lag and place.get(need.target, 0) < place.get(need.source, -1):
            what = f"{need.target} stands before {need.source}, but needs {need} of the same period"
            hint = f"swap them, or let {need.exchange or 'the exchange'} lag"
            raise ConfigError(what, hint=hint)


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
        known = [need for need in self.needs if need.source in self.steps]
        self.of = {name: [need for need in known if need.target == name] for name in self.steps}

    @property
    def unfinished(self) -> list[str]:
        return [name for name, time in self.at.items() if time < self.cycle]

    def go_on(self) -> None:
        waits = {name: self._waits_for(name) for name in self.unfinished}
        ready = [name for name, need in waits.items() if need is None]
        if not ready:
            raise _circle({name: need for name, need in waits.items() if need is not None})
        name = min(ready, key=lambda n: (self.at[n] + self.steps[n], self.steps[n]))
        start = self.at[name]
        self.at[name] = start + self.steps[name]
        self.calls.append(Call(name, start, self.at[name]))

    def _waits_for(self, name: str) -> Need | None:
        start = self.at[name]
        return next((need for need in self.of[name] if self.at[need.source] < need.bound(start)), None)


def _circle(waits: Mapping[str, Need]) -> ConfigError:
    """Return the error for components that all wait, each for the source of one need.

    From any of them, who waits for whom leads into a circle: to a name that has come already.
    """
    path = [next(iter(waits))]
    while path[-1] not in path[:-1]:
        path.append(waits[path[-1]].source)
    circle = path[path.index(path[-1]) :]
    exchanges = "; ".join(str(waits[name]) for name in circle[:-1])
    return ConfigError(
        f"exchanges form a circle: {' -> '.join(reversed(circle))}",
        hint=f"let one lag (longer), with `initial`: {exchanges}; or leave one out and put its import",
    )  # fmt: skip


def _refuse_uneven(steps: Mapping[str, timedelta], needs: Sequence[Need], cycle: timedelta) -> None:
    lengths = {f"the step of {name}": step for name, step in steps.items()}
    lengths |= {f"the period of {need}": need.every for need in needs}
    if early := [need for need in needs if need.lag < 0]:
        raise ConfigError(f"{early[0]} would need the future: its lag is negative", where="sequence")
    for what, length in lengths.items():
        if length <= ZERO or cycle % length:
            raise ConfigError(f"{what} ({length}) does not divide {cycle}", where="sequence")
