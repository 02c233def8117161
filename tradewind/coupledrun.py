"""A coupled run that can be stepped, rewound, saved and differentiated.

`CoupledRun` owns the tape across components and exchanges: it keeps what every step was given, replays
the schedule in reverse for gradients and forward for tangents, and enters every exchange in the declared
order on every rank. torch differentiates only inside a component's step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from torch import Tensor

from tradewind.couplers.clock import Clock
from tradewind.couplers.component import Component, Interval, Step, StepCall
from tradewind.couplers.exchange import Exchange, LedgerEntry
from tradewind.couplers.fields import Fields, Layouts, Spec, State
from tradewind.errors import ConfigError, SpecError

Port: TypeAlias = str
Event: TypeAlias = tuple[Port, datetime]


@dataclass(frozen=True)
class Participant:
    """A component in a run.

    Attributes
    ----------
    answer
        Makes the step's hook call.
    layouts
        Layout of every variable that lives on a grid, by name.
    parameters
        Values that hold until something is put, shape ``(member or 1, *extra, cell)``.
    """

    name: str
    component: Component
    spec: Spec
    answer: Callable[[StepCall], Step]
    layouts: Layouts = field(default_factory=dict)
    parameters: Fields = field(default_factory=dict)

    def port(self, variable: str) -> Port:
        """Return ``component.variable``."""
        return f"{self.name}.{variable}"


@dataclass(frozen=True)
class Moment:
    """Everything that a run remembers between two steps: a value, to be kept and returned to."""

    time: datetime
    states: Mapping[str, State]
    held: Mapping[Port, Tensor]
    exports: Mapping[Port, Tensor]


@dataclass(frozen=True)
class Put:
    """A value was set from outside."""

    port: Port
    time: datetime


@dataclass(frozen=True)
class Taken:
    """One component's step: what it was given, and for which members the model had to answer."""

    participant: Participant
    interval: Interval
    state: State
    imports: Fields
    parameters: Fields
    branch: Tensor | None


@dataclass(frozen=True)
class Interim:
    """One coupling interval: the steps that were taken, in order."""

    interval: Interval
    taken: tuple[Taken, ...]


TapeEvent: TypeAlias = Put | Interim


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

    Raises
    ------
    ConfigError
        When the exchanges form a circle.
    SpecError
        When an exchange names a variable that its component does not declare.
    """

    def __init__(
        self, clock: Clock, participants: Sequence[Participant], exchanges: Sequence[Exchange], members: int = 1
    ) -> None:
        self.clock, self.exchanges, self.members = clock, tuple(exchanges), members
        self.participants = _ordered(participants, exchanges)
        self.ledger: list[LedgerEntry] = []
        self.tape: list[TapeEvent] | None = None
        self.moment = self.start()

    # ------------------------------------------------------------------ stepping
    @property
    def time(self) -> datetime:
        """The time that the run has reached."""
        return self.moment.time

    def start(self, time: datetime | None = None) -> Moment:
        """Return the moment at which all components are initialised (the clock's start, or `time`)."""
        states = {
            p.name: p.component.initialize(p.spec, p.layouts, self.members) for p in self.participants
        }
        return Moment(time or self.clock.start, states, {}, {})

    def rewind(self, moment: Moment) -> None:
        """Return to a moment that was kept; an open tape starts anew."""
        self.moment = moment
        if self.tape is not None:
            self.tape = []

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
        participant, role, name = self._find(port)
        self._check_shape(participant, role, name, value)
        if role == "state":
            state = self.moment.states[participant.name]
            changed = replace(state, fields={**state.fields, name: value})
            self.moment = replace(self.moment, states={**self.moment.states, participant.name: changed})
        else:
            self.moment = replace(self.moment, held={**self.moment.held, port: value})
        if self.tape is not None:
            self.tape.append(Put(port, self.time))

    def get(self, port: Port) -> Tensor:
        """Return an export of the last step, or what was delivered to an import.

        Raises
        ------
        SpecError
            When nothing of that name has been exported yet.
        """
        if port not in self.moment.exports:
            raise SpecError(f"{port} has not been exported yet", where=f"coupled run at {self.time}")
        return self.moment.exports[port]

    def advance(self, until: datetime) -> None:
        """Step all components, in order, to `until` (an edge of the clock)."""
        for interval in self.clock.between(self.time, until):
            self._advance_one(interval)

    @contextmanager
    def recording(self) -> Iterator[list[TapeEvent]]:
        """Keep a tape of puts and steps, from which `tangents` and `gradients` are replayed."""
        kept, self.tape = self.tape, []
        try:
            yield self.tape
        finally:
            self.tape = kept

    def _advance_one(self, interval: Interval) -> None:
        exports: dict[Port, Tensor] = {}
        states, taken = dict(self.moment.states), []
        for p in self.participants:
            given = self._given(p, states[p.name], interval, exports)
            step = p.answer(
                StepCall(p.name, given.state, given.imports, given.parameters, interval)
            )
            exports |= {p.port(name): value for name, value in step.exports.items()}
            states[p.name] = step.state
            branch = None if step.valid is None else ~step.valid
            taken.append(replace(given, branch=branch))
        self._deliver_open(exports, interval)
        self.moment = replace(self.moment, time=interval.stop, states=states, exports=exports)
        if self.tape is not None:
            self.tape.append(Interim(interval, tuple(taken)))

    def _given(self, p: Participant, state: State, interval: Interval, exports: dict[Port, Tensor]) -> Taken:
        for exchange in self.into.get(p.name, ()):
            exports[exchange.target.port] = self._deliver(exchange, exports, interval)
        known = {**{p.port(k): v for k, v in p.parameters.items()}, **self.moment.held, **exports}
        imports, parameters = (
            {v.name: _for_members(self._known(known, p, v.name), self.members) for v in variables}
            for variables in (p.spec.imports, p.spec.parameters)
        )
        return Taken(p, interval, state, imports, parameters, None)

    def _known(self, known: Mapping[Port, Tensor], p: Participant, name: str) -> Tensor:
        if p.port(name) not in known:
            raise SpecError(
                "no exchange, put or default gives it a value", where=p.port(name),
                hint=f"add an exchange to {p.port(name)}",
            )  # fmt: skip
        return known[p.port(name)]

    def _deliver(self, exchange: Exchange, exports: Mapping[Port, Tensor], interval: Interval) -> Tensor:
        field_ = exports[exchange.source.port]
        delivered = exchange.forward(field_)
        self.ledger.append(exchange.account(field_, delivered, interval))
        return delivered

    def _deliver_open(self, exports: dict[Port, Tensor], interval: Interval) -> None:
        for exchange in self.open_ends:
            exports[exchange.target.port] = self._deliver(exchange, exports, interval)

    # ------------------------------------------------------------------ structure
    @cached_property
    def into(self) -> Mapping[str, tuple[Exchange, ...]]:
        """Exchanges by the component that they feed."""
        return {
            p.name: tuple(e for e in self.exchanges if e.target.component == p.name) for p in self.participants
        }

    @cached_property
    def open_ends(self) -> tuple[Exchange, ...]:
        """Exchanges whose target is no component of this run."""
        return tuple(e for e in self.exchanges if e.target.component not in self.into)

    def upstream(self, component: str) -> CoupledRun:
        """Return the run of everything that feeds `component`, without it; its imports are open ends."""
        needed, exchanges = {component}, []
        for p in reversed(self.participants):
            if p.name in needed:
                exchanges += self.into[p.name]
                needed |= {e.source.component for e in self.into[p.name]}
        kept = [p for p in self.participants if p.name in needed - {component}]
        return CoupledRun(self.clock, kept, exchanges[::-1], self.members)

    def with_members(self, members: int) -> CoupledRun:
        """Return the same run for another number of members, at its start."""
        return CoupledRun(self.clock, self.participants, self.exchanges, members)

    def _find(self, port: Port) -> tuple[Participant, str, str]:
        component, _, name = port.partition(".")
        for p in self.participants:
            for role in ("imports", "parameters", "state"):
                if p.name == component and any(v.name == name for v in getattr(p.spec, role)):
                    return p, role, name
        raise SpecError("no component declares such an import, parameter or state", where=port)

    def _check_shape(self, p: Participant, role: str, name: str, value: Tensor) -> None:
        variable = p.spec.variable(role, name)
        layout = p.layouts.get(name)
        cells = () if layout is None else (layout.n_local,)
        inner = (*(length for _, length in variable.extra), *cells)
        if value.shape[1:] != inner or value.shape[0] not in {1, self.members}:
            raise SpecError(
                f"expected shape {(self.members, *inner)}, got {tuple(value.shape)}", where=p.port(name)
            )


def _for_members(value: Tensor, members: int) -> Tensor:
    return value.expand(members, *value.shape[1:])


def _ordered(participants: Sequence[Participant], exchanges: Sequence[Exchange]) -> tuple[Participant, ...]:
    """Return the participants so that sources step before targets, otherwise as declared."""
    by_name = {p.name: p for p in participants}
    graph = {
        name: [e.source.component for e in exchanges if e.target.component == name] for name in by_name
    }
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ConfigError(f"exchanges form a circle: {circle}", where="exchanges", hint="break it with a lag") from error
    return tuple(by_name[name] for name in order if name in by_name)
