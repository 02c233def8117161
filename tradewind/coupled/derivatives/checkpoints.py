"""Tapes: what a run has recorded, to be gone through in either direction.

`Keep` holds what every step was given. `Checkpoints` holds moments only every so often and makes the steps
in between again, one stretch at a time. How many steps will be made need not be known: when there are more
than 2 s moments, s steps apart, every second one is dropped and s doubles. So n steps leave n / s moments,
with s between √(n/2) and √(2n), and going back through the tape holds one stretch of s steps beside them:
n / s + s ≤ 2.2 √n in all, for one more forward run (online checkpointing by thinning: Stumm and Walther 2010,
doi 10.1137/080742439).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor

from tradewind.coupled.stepping.stepper import Made, Stepper
from tradewind.coupled.tape import Answered, Event, Moment, Participant, Port, Put, TapeEvent
from tradewind.couplers.coupling.time.calendars import Time

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun


LARGE = 2**29
"""Bytes on a rank beyond which a tape is better kept by `Checkpoints`."""


def sparing(run: CoupledRun, until: Time) -> type[Tape]:
    """Return how to record a run from where it stands to `until`: the rule wherever nobody says.

    `Keep` while what all steps are given takes less than `LARGE`, else `Checkpoints`, which take one more
    forward run. Counted by whole grids, so that all ranks choose alike; what steps share is counted twice.
    """
    cycles = math.ceil((until - run.time) / run.clock.step)
    size = cycles * sum(_bytes(planned.participant, run.members) for planned in run.plan.steps)
    return Keep if size <= LARGE * run.comm.size else Checkpoints


def _bytes(p: Participant, members: int) -> int:
    """Return how large what a step is given is, of all ranks together."""
    shapes = ((*(n for _, n in v.extra), 1 if v.grid is None else v.grid.size) for _, v in p.given)
    return sum(8 * members * math.prod(shape) for shape in shapes)


class Tape(ABC):
    """Puts and steps, in the order in which they were made, without a gap.

    Parameters
    ----------
    stepper
        Of the run; makes steps again.

    Attributes
    ----------
    seen
        What was watched for: values by port and time.
    """

    def __init__(self, stepper: Stepper) -> None:
        self.stepper = stepper
        self.seen: dict[Event, Tensor] = {}
        self._watched: dict[tuple[str, Time], list[Port]] = {}
        self._puts: dict[Event, None] = {}
        self._first: tuple[Time, int] | None = None
        self._steps = 0

    # ------------------------------------------------------------------ recording
    def watch(self, component: str, event: Event) -> None:
        """Keep what stands at a port of `component` when its step that ends then is made; see `seen`.

        A component may run ahead of the time that all have reached: what the run's `get` gives then is later.
        """
        port, time = event
        self._watched.setdefault((component, time), []).append(port)

    def put(self, put: Put) -> None:
        """Record a put."""
        self._puts[put.port, put.time] = None
        self._keep_put(put)

    def step(self, before: Moment, made: Made) -> None:
        """Record a step, and the moment before it."""
        if self._first is None:
            self._first = before.origin, before.number
        self._keep_step(before, made)
        self._steps += 1
        name, stop = made.participant.name, made.call.interval.stop
        for port in self._watched.get((name, stop), ()):
            self.seen[port, stop] = _standing(made.after, port)

    def clear(self) -> None:
        """Forget everything but what is watched for: the run was rewound."""
        self.seen, self._puts, self._first, self._steps = {}, {}, None, 0
        self._forget()

    # ------------------------------------------------------------------ reading
    @property
    def puts(self) -> Collection[Event]:
        """What was put, and when."""
        return self._puts.keys()

    def has_step(self, component: str, stop: Time) -> bool:
        """Return whether a step of `component` that ends at `stop` was recorded."""
        if self._first is None:
            return False
        plan, (origin, first) = self.stepper.plan, self._first
        cycle, tick = divmod(stop - origin, plan.cycle)
        begin, end = (cycle, tick) if tick else (cycle - 1, plan.cycle)
        numbers = (
            begin * len(plan) + index
            for index, planned in enumerate(plan.steps)
            if planned.call.component == component and planned.call.stop == end
        )
        return any(first <= number < first + self._steps for number in numbers)

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of puts and steps."""

    @abstractmethod
    def __iter__(self) -> Iterator[TapeEvent]:
        """Go forward; collective where steps are made again."""

    @abstractmethod
    def __reversed__(self) -> Iterator[TapeEvent]:
        """Go back; collective where steps are made again."""

    @abstractmethod
    def _keep_put(self, put: Put) -> None: ...

    @abstractmethod
    def _keep_step(self, before: Moment, made: Made) -> None: ...

    @abstractmethod
    def _forget(self) -> None: ...


def _standing(moment: Moment, port: Port) -> Tensor:
    """Return an export, what was delivered to an import, or a state variable."""
    if port in moment.exports:
        return moment.exports[port]
    component, _, variable = port.partition(".")
    return moment.states[component].fields[variable]


class Watch(Tape):
    """Holds nothing but what is watched for: there is no way back through it."""

    def __len__(self) -> int:
        """Return 0: it holds neither puts nor steps."""
        return 0

    def __iter__(self) -> Iterator[TapeEvent]:
        """Go through nothing."""
        return iter(())

    def __reversed__(self) -> Iterator[TapeEvent]:
        """Go through nothing."""
        return iter(())

    def _keep_put(self, put: Put) -> None: ...

    def _keep_step(self, before: Moment, made: Made) -> None: ...

    def _forget(self) -> None: ...


class Keep(Tape):
    """Holds what every step was given: nothing is made twice, memory grows with the number of steps."""

    def __init__(self, stepper: Stepper) -> None:
        super().__init__(stepper)
        self._events: list[TapeEvent] = []

    def __len__(self) -> int:
        """Return the number of puts and steps."""
        return len(self._events)

    def __iter__(self) -> Iterator[TapeEvent]:
        """Go forward."""
        return iter(self._events)

    def __reversed__(self) -> Iterator[TapeEvent]:
        """Go back."""
        return reversed(self._events)

    def _keep_put(self, put: Put) -> None:
        self._events.append(put)

    def _keep_step(self, before: Moment, made: Made) -> None:
        self._events.append(made.taken)

    def _forget(self) -> None:
        self._events.clear()


class Checkpoints(Tape):
    """Holds moments every so often: memory grows with the square root of the number of steps.

    Of every step, who answered it is held, too, and of every put its value.

    Attributes
    ----------
    stride
        Steps between two moments.
    """

    def __init__(self, stepper: Stepper) -> None:
        super().__init__(stepper)
        self.stride = 1
        self._events: list[Put | Answered] = []
        self._moments: dict[int, Moment] = {}

    @property
    def moments(self) -> int:
        """How many moments are held."""
        return len(self._moments)

    def __len__(self) -> int:
        """Return the number of puts and steps."""
        return len(self._events)

    def __iter__(self) -> Iterator[TapeEvent]:
        """Go forward: every step is made again, from the first moment."""
        yield from self._before()
        for begin in list(self._moments)[:1]:
            yield from self._again(begin, len(self._events))

    def __reversed__(self) -> Iterator[TapeEvent]:
        """Go back: every stretch between two moments is made again, the last one first."""
        for begin, end in reversed(list(pairwise([*self._moments, len(self._events)]))):
            stretch = list(self._again(begin, end))
            while stretch:
                yield stretch.pop()
        yield from reversed(self._before())

    def _before(self) -> list[Put]:
        """Return what was put before the first step."""
        first = next(iter(self._moments), len(self._events))
        return [event for event in self._events[:first] if isinstance(event, Put)]

    def _again(self, begin: int, end: int) -> Iterator[TapeEvent]:
        moment = self._moments[begin]
        for event in self._events[begin:end]:
            if isinstance(event, Put):
                moment = event.applied(moment, self.stepper.members)
                yield event
            else:
                made = self.stepper.again(moment, event)
                moment = made.after
                yield made.taken

    def _keep_put(self, put: Put) -> None:
        self._events.append(put)

    def _keep_step(self, before: Moment, made: Made) -> None:
        if self._steps % self.stride == 0:
            # exports are only there to be read
            self._moments[len(self._events)] = before._replace(exports={})
            self._thin()
        self._events.append(Answered(made.answered_by, made.branch))

    def _thin(self) -> None:
        if len(self._moments) > 2 * self.stride:
            self.stride *= 2
            self._moments = dict(list(self._moments.items())[::2])

    def _forget(self) -> None:
        self.stride = 1
        self._events.clear()
        self._moments.clear()
