"""A coupled run that can be stepped, rewound, saved and differentiated.

`CoupledRun` owns the tape across components and exchanges: it keeps what every step was given, replays
the schedule in reverse for gradients and forward for tangents, and enters every exchange in the declared
order on every rank. torch differentiates only inside a component's step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Keep, Tape
from tradewind.coupled.ports import Ports, check_exchanges
from tradewind.coupled.stepping.plan import Plan
from tradewind.coupled.stepping.sinks import sink_of, with_sinks
from tradewind.coupled.stepping.stepper import Stepper, check_declared
from tradewind.coupled.stepping.traffic import Traffic
from tradewind.coupled.tape import Event, Moment, Participant, Port, Put
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.coupling.time.calendars import Time, refuse_mixed
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.parallel import Communicator, Serial
from tradewind.errors import ConfigError, SpecError, blaming


class CoupledRun:
    """Components that advance together, each by steps of its own, exchanging fields.

    Parameters
    ----------
    clock
        Start, stop and coupling interval.
    participants
        The components; they step in the order that their exchanges imply.
    exchanges
        From exports to imports; what several bring to one import is added up. A target that is no
        participant is an open end, to be read by `get`.
    members
        Length of the first axis of every field.

    Attributes
    ----------
    plan
        The steps of one coupling interval.
    ledger
        What the exchanges have moved up to now.

    Raises
    ------
    ConfigError
        When the exchanges form a circle, steps do not divide, or two components share a name.
    SpecError
        When an exchange names a variable that its component does not declare.
    """

    def __init__(
        self,
        clock: Clock,
        participants: Sequence[Participant],
        exchanges: Sequence[Exchange],
        members: int = 1,
    ) -> None:
        check_exchanges(participants, exchanges)
        self.clock, self.exchanges, self.members = clock, tuple(exchanges), members
        everybody = with_sinks(participants, exchanges, clock.step)
        self.plan = Plan(everybody, self.exchanges, clock.step)
        self.participants = _in_order(everybody, self.plan)
        self.ports = Ports(self.participants, self.exchanges)
        self.traffic = Traffic(self.plan, members)
        self.ledger: list[LedgerEntry] = []
        self._open: tuple[Tape, ...] = ()
        self._last: Tape | None = None
        self._stepper = Stepper(self.traffic, self.comm)
        self.moment = self.start()

    # ------------------------------------------------------------------ stepping
    @property
    def time(self) -> Time:
        """The time that the run has reached."""
        return self.moment.time

    @property
    def ticks(self) -> Iterator[Time]:
        """The times ahead at which a component's step ends: the run can be told to advance to any."""
        now, origin = self.time, self.moment.origin
        cycle = origin + (now - origin) // self.clock.step * self.clock.step
        while cycle < self.clock.stop:
            yield from (cycle + tick for tick in self.plan.ticks if cycle + tick > now)
            cycle += self.clock.step

    def steps_of(self, component: str, window: Interval) -> Iterator[Interval]:
        """Yield the steps of a component within a window that begins with a coupling interval."""
        length = next(p.step or self.clock.step for p in self.participants if p.name == component)
        for k in range((window.stop - window.start) // length):
            yield Interval(window.start + k * length, window.start + (k + 1) * length)

    def _initial(self, p: Participant) -> State:
        with blaming(p.name):
            return p.component.initialize(p.spec, p.layouts, self.members)

    def start(self, time: Time | None = None) -> Moment:
        """Return the moment at which all components are initialised (the clock's start, or `time`)."""
        states = {p.name: self._initial(p) for p in self.participants}
        for p in self.participants:
            check_declared(p, "initial state", states[p.name].fields, p.spec.state, self.members)
        begin = time or self.clock.start
        return Moment(begin, begin, 0, states, {}, {}, self.traffic.start())

    def rewind(self, moment: Moment) -> None:
        """Return to a moment that was kept; an open tape starts anew, the ledger forgets what came later."""
        self.moment = moment
        self.traffic.forget()
        self.ledger = [entry for entry in self.ledger if self._has_come(moment, entry)]
        for tape in self._open:
            tape.clear()

    def _has_come(self, moment: Moment, entry: LedgerEntry) -> bool:
        """Return whether an entry's target has stepped to its end at `moment`: some run ahead of the time."""
        target = entry.exchange.partition(" -> ")[2].partition(".")[0]
        return entry.interval.stop <= moment.origin + self.plan.reached(target, moment.number)

    def put(self, port: Port, value: Tensor) -> None:
        """Set an import, a parameter or a state variable, from its component's next step on.

        Parameters
        ----------
        port
            ``component.variable``.
        value
            Shape ``(member, *extra, cell)``; a first axis of one serves all members.

        Raises
        ------
        SpecError
            When no component declares that variable, or the shape is not the declared one.
        """
        place = self.ports.input(port)
        place.check(value, self.members)
        put = Put(port, self.time, value.detach().contiguous(), place.role)
        for tape in self._open:
            tape.put(put)
        self.moment = put.applied(self.moment, self.members)

    def get(self, port: Port) -> Tensor:
        """Return an export of the last step, what was delivered to an import, or a state variable.

        Raises
        ------
        SpecError
            When there is nothing of that name, or nothing has been exported yet.
        """
        place = self.ports.output(port)
        if place.role == "state":
            return self.moment.states[place.component].fields[place.variable.name]
        if port not in self.moment.exports:
            raise SpecError("has not been exported yet", where=port, hint=f"the run stands at {self.time}")
        return self.moment.exports[port]

    def advance(self, until: Time) -> None:
        """Step all components, in order, to `until`: a time at which a step of any of them ends.

        When a step fails, the run stands before it, at the last time that all had reached: what was made up
        to there is kept. To advance again is to try that step again.

        Raises
        ------
        ConfigError
            When `until` lies in the past or is of another calendar, or no step ends then.
        LedgerError
            When an exchange has lost or made more than its tolerance.
        RankError
            When a step has failed on another rank: all ranks raise together.
        """
        refuse_mixed(until, self.time, where="advance")
        if until < self.time:
            raise ConfigError(f"{until} lies before {self.time}", where="advance", hint="use rewind")
        if until == self.time:
            return
        last = self._made_at(until)
        try:
            with torch.no_grad():
                while self.moment.number < last:
                    self._step_once()
        finally:
            done = self.moment.number == last
            self.moment = self.moment._replace(time=until if done else self._reached())

    def _reached(self) -> Time:
        """Return the last time at which a step ends, of those that all steps up to then have been made."""
        cycle, made = divmod(self.moment.number, len(self.plan))
        return self.moment.origin + cycle * self.clock.step + self.plan.reached_by_all(made)

    def _made_at(self, until: Time) -> int:
        """Return how many steps are made when the run stands at `until`."""
        cycle, tick = divmod(until - self.moment.origin, self.clock.step)
        if until > self.clock.stop or (tick and tick not in self.plan.ticks):
            ticks = ", ".join(str(t) for t in self.plan.ticks)
            raise ConfigError(
                f"no step ends at {until}", where="advance",
                hint=f"steps end {ticks} after {self.moment.origin}, every {self.clock.step}, "
                f"up to {self.clock.stop}",
            )  # fmt: skip
        return cycle * len(self.plan) + (self.plan.made_at(tick) if tick else 0)

    def _step_once(self) -> None:
        before, made = self.moment, self._stepper.once(self.moment)
        self.ledger += made.entries
        self.moment = made.after
        for tape in self._open:
            tape.step(before, made)

    # ------------------------------------------------------------------ derivatives
    @contextmanager
    def recording(self, kind: Callable[[Stepper], Tape] = Keep) -> Iterator[Tape]:
        """Keep a tape of puts and steps, from which tangents and gradients are replayed.

        Parameters
        ----------
        kind
            `Keep` holds what every step was given; `Checkpoints` holds moments every so often, and steps
            again in between: memory grows with the square root of the number of steps. Bits are the same.
        """
        before = self._open
        tape = self._last = kind(Stepper(Traffic(self.plan, self.members), self.comm))
        self._open = (*before, tape)
        try:
            yield tape
        finally:
            self._open = before

    @property
    def tape(self) -> Tape:
        """The open tape (the innermost of several), or else the last one.

        Raises
        ------
        SpecError
            When nothing was recorded.
        """
        tape = self._open[-1] if self._open else self._last
        if tape is None:
            raise SpecError("nothing was recorded", where="tape", hint="advance within `run.recording()`")
        return tape

    def jvp(self, given: Mapping[Event, Tensor], wanted: Sequence[Event]) -> dict[Event, Tensor]:
        """Return tangents of `wanted` for those of what was put; see `derivatives.replay.tangents`."""
        from tradewind.coupled.derivatives.replay import tangents

        return tangents(self, self.tape, given, wanted)

    def vjp(self, cotangents: Mapping[Event, Tensor]) -> dict[Event, Tensor]:
        """Return cotangents of what was put; see `derivatives.replay.gradients`."""
        from tradewind.coupled.derivatives.replay import gradients

        return gradients(self, self.tape, cotangents)

    # ------------------------------------------------------------------ files
    def save(self, path: Path | str) -> None:
        """Write the moment to one file, from which `restore` goes on with the same bits; no tape is kept.

        Collective; the file is complete or not there.

        Raises
        ------
        SpecError
            When a state holds extras that are no plain values.
        DataError
            When the file cannot be written.
        """
        from tradewind.coupled.restart import save

        save(self, Path(path))

    def restore(self, path: Path | str) -> None:
        """Go on from a saved moment; an open tape starts anew.

        Raises
        ------
        DataError
            When the file is missing, damaged, or that of a run with other components, grids or members.
        """
        from tradewind.coupled.restart import restore

        self.rewind(restore(self, Path(path)))

    # ------------------------------------------------------------------ structure
    @cached_property
    def comm(self) -> Communicator:
        """The ranks that step together: the largest communicator of any layout."""
        layouts = [layout for p in self.participants for layout in p.layouts.values()]
        return max((layout.comm for layout in layouts), key=lambda comm: comm.size, default=Serial())

    @cached_property
    def into(self) -> Mapping[str, tuple[Exchange, ...]]:
        """Exchanges by the component that they feed."""
        return {p.name: self.plan.into(p.name) for p in self.participants}

    def upstream(self, component: str) -> CoupledRun:
        """Return the run of everything that feeds `component`, without it; its imports are open ends.

        Raises
        ------
        ConfigError
            When `component` feeds, by however many others, itself (with a lag): nothing is upstream of it.
        """
        needed = {component}
        while True:
            feeding = {e.source.component for name in needed for e in self._feeding(name)}
            if feeding <= needed:
                break
            needed |= feeding
        exchanges = [e for e in self.exchanges if e.target.component in needed]
        if back := [e.name for e in exchanges if e.source.component == component]:
            what = f"feeds what it is fed by ({', '.join(back)}): there is no run upstream of it"
            raise ConfigError(what, where=f"component {component!r}")
        return self._open_ended(component, needed, exchanges)

    def without(self, component: str) -> CoupledRun:
        """Return the run of all others, which must not depend on `component`; its imports are open ends.

        Raises
        ------
        ConfigError
            When it feeds another.
        """
        if fed := [e.name for e in self.exchanges if component in _sources(e)]:
            what = f"feeds others ({', '.join(fed)}): there is no run without it"
            raise ConfigError(what, where=f"component {component!r}")
        return self._open_ended(component, {p.name for p in self.participants}, self.exchanges)

    def _open_ended(
        self, component: str, names: Collection[str], exchanges: Sequence[Exchange]
    ) -> CoupledRun:
        kept = [p for p in self.participants if p.name in names and p.name != component]
        end = next(p for p in self.participants if p.name == component)
        if fed_by := [e for e in exchanges if e.target.component == component]:
            kept.append(sink_of(end, fed_by))
        return CoupledRun(self.clock, kept, exchanges, self.members)

    def only(self, components: Iterable[str]) -> CoupledRun:
        """Return the run of `components` and of all that feeds them, and of nothing else."""
        needed = frozenset(components)
        while more := {e.source.component for name in needed for e in self._feeding(name)} - needed:
            needed |= more
        exchanges = [e for e in self.exchanges if e.target.component in needed]
        kept = [p for p in self.participants if p.name in needed]
        return CoupledRun(self.clock, kept, exchanges, self.members)

    def _feeding(self, component: str) -> Iterator[Exchange]:
        for exchange in self.into[component]:
            yield exchange
            if exchange.moving is not None:
                yield exchange.moving

    def with_members(self, members: int) -> CoupledRun:
        """Return the same run for another number of members, at its start."""
        return CoupledRun(self.clock, self.participants, self.exchanges, members)


def _sources(exchange: Exchange) -> set[str]:
    """Return the components that an exchange takes anything from."""
    moving = set() if exchange.moving is None else {exchange.moving.source.component}
    return {exchange.source.component} | moving


def _in_order(participants: Sequence[Participant], plan: Plan) -> tuple[Participant, ...]:
    """Return the participants in the order of their first steps."""
    by_name = {p.name: p for p in participants}
    return tuple(by_name[name] for name in dict.fromkeys(planned.call.component for planned in plan.steps))
