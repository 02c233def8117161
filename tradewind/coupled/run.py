"""A coupled run that can be stepped, rewound, saved and differentiated.

`CoupledRun` owns the tape across components and exchanges: it keeps what every step was given, replays
the schedule in reverse for gradients and forward for tangents, and enters every exchange in the declared
order on every rank. torch differentiates only inside a component's step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import torch
from torch import Tensor

from tradewind.coupled.ports import Place, Ports, check_exchanges
from tradewind.coupled.tape import Event, Interim, Moment, Participant, Port, Put, Taken, TapeEvent
from tradewind.couplers.coupling.clock import Clock
from tradewind.couplers.coupling.component import Interval, Mode, Step
from tradewind.couplers.coupling.exchange import Exchange, LedgerEntry
from tradewind.couplers.coupling.fields import Fields, State, Variable
from tradewind.couplers.ranks.parallel import Communicator, Serial, agree
from tradewind.errors import ConfigError, SpecError


class CoupledRun:
    """Components that advance together, exchanging fields at every coupling interval.

    Parameters
    ----------
    clock
        Start, stop and coupling interval.
    participants
        The components; they step in the order that their exchanges imply.
    exchanges
        From exports to imports. A target that is no participant is an open end, to be read by `get`.
    members
        Length of the first axis of every field.

    Attributes
    ----------
    ledger
        What the exchanges have moved up to now.

    Raises
    ------
    ConfigError
        When the exchanges form a circle, an import is fed twice, or two components share a name.
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
        self.participants = _ordered(participants, exchanges)
        self.ports = Ports(self.participants, self.exchanges)
        self.ledger: list[LedgerEntry] = []
        self._open: list[TapeEvent] | None = None
        self._last: list[TapeEvent] | None = None
        self.moment = self.start()

    # ------------------------------------------------------------------ stepping
    @property
    def time(self) -> datetime:
        """The time that the run has reached."""
        return self.moment.time

    def start(self, time: datetime | None = None) -> Moment:
        """Return the moment at which all components are initialised (the clock's start, or `time`)."""
        states = {p.name: p.component.initialize(p.spec, p.layouts, self.members) for p in self.participants}
        for p in self.participants:
            _check_declared(p, "initial state", states[p.name].fields, p.spec.state, self.members)
        return Moment(time or self.clock.start, states, {}, {})

    def rewind(self, moment: Moment) -> None:
        """Return to a moment that was kept; an open tape starts anew, the ledger forgets what came later."""
        self.moment = moment
        self.ledger = [entry for entry in self.ledger if entry.interval.stop <= moment.time]
        if self._open is not None:
            self._open.clear()

    def put(self, port: Port, value: Tensor) -> None:
        """Set an import, a parameter or a state variable from now on.

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
        if self._open is not None:
            self._open.append(Put(port, self.time, len(value)))
        value = value.detach().contiguous()
        if place.role == "state":
            self._put_state(place, _for_members(value, self.members))
        else:
            self.moment = replace(self.moment, held={**self.moment.held, port: value})

    def _put_state(self, place: Place, value: Tensor) -> None:
        state = self.moment.states[place.component]
        changed = replace(state, fields={**state.fields, place.variable.name: value})
        self.moment = replace(self.moment, states={**self.moment.states, place.component: changed})

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

    def advance(self, until: datetime) -> None:
        """Step all components, in order, to `until`.

        Raises
        ------
        ConfigError
            When `until` lies in the past or is not an edge of the clock.
        RankError
            When a step has failed on another rank: all ranks raise together.
        """
        if until < self.time:
            raise ConfigError(f"{until} lies before {self.time}", where="advance", hint="use rewind")
        for interval in self.clock.between(self.time, until):
            self._advance_one(interval)

    def _advance_one(self, interval: Interval) -> None:
        exports: dict[Port, Tensor] = {}
        states, taken = dict(self.moment.states), []
        for p in self.participants:
            given = self._given(p, states[p.name], interval, exports)
            step = self._step(given)
            exports |= {p.port(name): value for name, value in step.exports.items()}
            states[p.name] = step.state
            branch = None if step.valid is None else ~step.valid
            taken.append(replace(given, branch=branch, answered_by=step.answered_by))
        self._deliver_open(exports, interval)
        self.moment = replace(self.moment, time=interval.stop, states=states, exports=exports)
        if self._open is not None:
            self._open.append(Interim(interval, tuple(taken)))

    def _step(self, taken: Taken) -> Step:
        p = taken.participant
        given = {key: p.filled(key, value) for key, value in taken.given().items()}
        call = taken.call(given, Mode.FORWARD, self.comm)
        with agree(self.comm, f"component {p.name!r}, step {taken.interval}"), torch.no_grad():
            return _checked(p, p.answer(call), self.members)

    def _given(self, p: Participant, state: State, interval: Interval, exports: dict[Port, Tensor]) -> Taken:
        for exchange in self.into[p.name]:
            exports[exchange.target.port] = self._deliver(exchange, exports, interval)
        known = {**{p.port(k): v for k, v in p.parameters.items()}, **self.moment.held, **exports}
        imports, parameters = (
            {v.name: _for_members(_known(known, p.port(v.name)), self.members) for v in variables}
            for variables in (p.spec.imports, p.spec.parameters)
        )
        return Taken(p, interval, state, imports, parameters)

    def _deliver(self, exchange: Exchange, exports: Mapping[Port, Tensor], interval: Interval) -> Tensor:
        sent = exports[exchange.source.port]
        delivered = exchange.forward(sent)
        self.ledger.append(exchange.account(sent, delivered, interval))
        return delivered

    def _deliver_open(self, exports: dict[Port, Tensor], interval: Interval) -> None:
        for exchange in self.open_ends:
            exports[exchange.target.port] = self._deliver(exchange, exports, interval)

    # ------------------------------------------------------------------ derivatives
    @contextmanager
    def recording(self) -> Iterator[list[TapeEvent]]:
        """Keep a tape of puts and steps, from which tangents and gradients are replayed."""
        before, tape = self._open, list[TapeEvent]()
        self._open = self._last = tape
        try:
            yield tape
        finally:
            self._open = before

    @property
    def tape(self) -> list[TapeEvent]:
        """The open tape, or else the last one.

        Raises
        ------
        SpecError
            When nothing was recorded.
        """
        tape = self._last if self._open is None else self._open
        if tape is None:
            raise SpecError("nothing was recorded", where="tape", hint="advance within `run.recording()`")
        return tape

    def jvp(self, given: Mapping[Event, Tensor], wanted: Sequence[Event]) -> dict[Event, Tensor]:
        """Return tangents of `wanted` for those of what was put; see `tradewind.coupled.replay.tangents`."""
        from tradewind.coupled.replay import tangents

        return tangents(self, self.tape, given, wanted)

    def vjp(self, cotangents: Mapping[Event, Tensor]) -> dict[Event, Tensor]:
        """Return cotangents of what was put; see `tradewind.coupled.replay.gradients`."""
        from tradewind.coupled.replay import gradients

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
        return {
            p.name: tuple(e for e in self.exchanges if e.target.component == p.name)
            for p in self.participants
        }

    @cached_property
    def open_ends(self) -> tuple[Exchange, ...]:
        """Exchanges whose target is no component of this run."""
        return tuple(e for e in self.exchanges if e.target.component not in self.into)

    def upstream(self, component: str) -> CoupledRun:
        """Return the run of everything that feeds `component`, without it; its imports are open ends."""
        needed, exchanges = {component}, list[Exchange]()
        for p in reversed(self.participants):
            if p.name in needed:
                exchanges += self.into[p.name]
                needed |= {e.source.component for e in self.into[p.name]}
        kept = [p for p in self.participants if p.name in needed - {component}]
        return CoupledRun(self.clock, kept, exchanges[::-1], self.members)

    def with_members(self, members: int) -> CoupledRun:
        """Return the same run for another number of members, at its start."""
        return CoupledRun(self.clock, self.participants, self.exchanges, members)


def _known(known: Mapping[Port, Tensor], port: Port) -> Tensor:
    if port not in known:
        hint = f"add an exchange to {port}, or put it"
        raise SpecError("no exchange, put or default gives it a value", where=port, hint=hint)
    return known[port]


def _for_members(value: Tensor, members: int) -> Tensor:
    return value.expand(members, *value.shape[1:])


def _checked(p: Participant, step: Step, members: int) -> Step:
    """Return the answer if it is what the component declares."""
    _check_declared(p, "exports", step.exports, p.spec.exports, members)
    _check_declared(p, "state", step.state.fields, p.spec.state, members)
    state = replace(step.state, fields=_contiguous(step.state.fields))
    return replace(step, exports=_contiguous(step.exports), state=state)


def _contiguous(fields: Fields) -> Fields:
    # products may give other bits for other strides, and a restored run has lost those
    return {name: value.contiguous() for name, value in fields.items()}


def _check_declared(
    p: Participant, role: str, found: Fields, declared: Sequence[Variable], members: int
) -> None:
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    wanted = {v.name: (members, *p.shape(v)) for v in declared}
    if shapes != wanted:
        raise SpecError(f"{role} came as {shapes}, declared is {wanted}", where=f"component {p.name!r}")


def _ordered(participants: Sequence[Participant], exchanges: Sequence[Exchange]) -> tuple[Participant, ...]:
    """Return the participants so that sources step before targets, otherwise as declared."""
    by_name = {p.name: p for p in participants}
    if len(by_name) < len(participants):
        raise ConfigError(f"two of {[p.name for p in participants]} share a name", where="components")
    graph = {name: [e.source.component for e in exchanges if e.target.component == name] for name in by_name}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ConfigError(
            f"exchanges form a circle: {circle}", where="exchanges", hint="leave one out and put its import"
        ) from error
    return tuple(by_name[name] for name in order)
