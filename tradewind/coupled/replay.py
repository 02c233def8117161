"""Derivatives of a recorded run: the tape replayed forward for tangents, in reverse for gradients.

Between steps and components this module adds up cotangents itself, in the declared order, with explicit
zeros where nothing depends: every rank enters every exchange. Within a step, see `tradewind.coupled.steps`.

All tangents and cotangents carry one leading batch axis: shape ``(k, member, *extra, cell)``; a member axis
of one serves all members.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from torch import Tensor

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.steps import step_gradient, step_tangent
from tradewind.coupled.tape import Event, Interim, Participant, Port, Put, Taken, TapeEvent
from tradewind.couplers.coupling.component import Key
from tradewind.couplers.ranks.parallel import tree_sum
from tradewind.errors import SpecError

Operation: TypeAlias = Callable[[Tensor], Tensor]


def tangents(
    run: CoupledRun, tape: Sequence[TapeEvent], given: Mapping[Event, Tensor], wanted: Sequence[Event]
) -> dict[Event, Tensor]:
    """Replay `tape` forward: tangents of `wanted` exports, for tangents of the puts in `given`.

    Parameters
    ----------
    given
        By ``(port, time)`` of the put, shape ``(k, member, *extra, cell)``; at least one, and the same
        events on all ranks. Where a port was put twice at one time, the last put counts.
    wanted
        Ports and times: an export at the end of an interval, what an import was delivered during the
        interval that ends then, or a state variable.

    Returns
    -------
    dict
        By event of `wanted`; zeros where nothing depends on what was given.

    Raises
    ------
    SpecError
        Events that the tape does not hold, or shapes that do not fit.
    NotDifferentiableError
        When a component on the way has no tangent.
    """
    _check(run, given, _put_events(tape), run.ports.inputs)
    _check_times(run, wanted, tape)
    if not given:
        raise SpecError("no tangent was given", where="tangents", hint="name what was put, and when")
    sweep = _Forward(run, given, wanted)
    for event in tape:
        sweep.take(event)
    return sweep.result()


def gradients(
    run: CoupledRun, tape: Sequence[TapeEvent], cotangents: Mapping[Event, Tensor]
) -> dict[Event, Tensor]:
    """Replay `tape` in reverse: cotangents of every put, for cotangents of exports.

    Parameters
    ----------
    cotangents
        By ``(port, time)``, as `wanted` of `tangents`; shape ``(k, member, *extra, cell)``. The same events
        on all ranks; a rank without observations gives zeros.

    Returns
    -------
    dict
        By ``(port, time)`` of the puts, with the member axis that was put; a put that nothing depends on
        is absent.

    Raises
    ------
    SpecError
        Events that the tape does not hold, or shapes that do not fit.
    NotDifferentiableError
        When a component on the way has no adjoint.
    """
    _check_times(run, cotangents, tape)
    _check(run, cotangents, cotangents, run.ports.outputs)
    sweep = _Reverse(run, cotangents)
    for event in reversed(tape):
        sweep.take(event)
    return sweep.found


def _put_events(tape: Sequence[TapeEvent]) -> set[Event]:
    return {(event.port, event.time) for event in tape if isinstance(event, Put)}


def _check(
    run: CoupledRun, values: Mapping[Event, Tensor], known: Collection[Event], places: Mapping[Port, object]
) -> None:
    of = run.ports.input if places is run.ports.inputs else run.ports.output
    for (port, time), value in values.items():
        place = of(port)
        if (port, time) not in known:
            raise SpecError(f"was not put at {time} while the tape was open", where=port)
        place.check(value, run.members, value.shape[:1])
    if len({value.shape[0] for value in values.values()}) > 1:
        raise SpecError("derivatives differ in the length of their first axis", where="tape")


def _check_times(run: CoupledRun, events: Collection[Event], tape: Sequence[TapeEvent]) -> None:
    ends = {event.interval.stop for event in tape if isinstance(event, Interim)}
    for port, time in events:
        run.ports.output(port)
        if time not in ends:
            raise SpecError(f"no recorded interval ends at {time}", where=port)


@dataclass
class _Forward:
    """Tangents on their way forward along the tape."""

    run: CoupledRun
    given: Mapping[Event, Tensor]
    wanted: Sequence[Event]
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        if isinstance(event, Put):
            self._put(event)
        else:
            self._interim(event)

    def result(self) -> dict[Event, Tensor]:
        like = next(iter(self.given.values()))
        return {e: self.found[e] if e in self.found else self._zeros(e[0], like) for e in self.wanted}

    def _zeros(self, port: Port, like: Tensor) -> Tensor:
        return like.new_zeros(len(like), self.run.members, *self.run.ports.output(port).inner)

    def _put(self, event: Put) -> None:
        of = self.states if self.run.ports.input(event.port).role == "state" else self.held
        of.pop(event.port, None)
        tangent = self.given.get((event.port, event.time))
        if tangent is not None:
            of[event.port] = tangent.expand(-1, self.run.members, *tangent.shape[2:])

    def _interim(self, event: Interim) -> None:
        moving: dict[Port, Tensor] = {}
        for taken in event.taken:
            self._step(taken, moving)
        for exchange in self.run.open_ends:
            _carry(moving, exchange.source.port, exchange.target.port, exchange.forward)
        for port, time in self.wanted:
            source = self.states if self.run.ports.output(port).role == "state" else moving
            if time == event.interval.stop and port in source:
                self.found[port, time] = source[port]

    def _step(self, taken: Taken, moving: dict[Port, Tensor]) -> None:
        p = taken.participant
        for exchange in self.run.into[p.name]:
            _carry(moving, exchange.source.port, exchange.target.port, exchange.forward)
        came = step_tangent(taken, self._active(p, moving), self.run.comm)
        for v in p.spec.exports:
            moving.pop(p.port(v.name), None)
        for (role, name), tangent in came.items():
            (self.states if role == "state" else moving)[p.port(name)] = tangent

    def _active(self, p: Participant, moving: Mapping[Port, Tensor]) -> dict[Key, Tensor]:
        """Return the tangents of what the step is given; those of its state are taken away."""
        known = {**self.held, **moving}
        active: dict[Key, Tensor] = {}
        for role, v in p.given:
            source = self.states if role == "state" else known
            if p.port(v.name) in source:
                active[role, v.name] = source.pop(p.port(v.name))
        return active


@dataclass
class _Reverse:
    """Cotangents on their way back along the tape."""

    run: CoupledRun
    cotangents: Mapping[Event, Tensor]
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        if isinstance(event, Put):
            self._put(event)
        else:
            self._interim(event)

    def _put(self, event: Put) -> None:
        of = self.states if self.run.ports.input(event.port).role == "state" else self.held
        if event.port in of:
            cotangent = of.pop(event.port)
            one_for_all = event.members == 1 and self.run.members > 1
            # torch's own sum over members depends on the number of cells
            reduced = tree_sum(cotangent.movedim(1, 0))[:, None] if one_for_all else cotangent
            self.found.setdefault((event.port, event.time), reduced)

    def _interim(self, event: Interim) -> None:
        moving = self._asked(event)
        for exchange in reversed(self.run.open_ends):
            _return(moving, exchange.target.port, exchange.source.port, exchange.adjoint)
        for taken in reversed(event.taken):
            self._step(taken, moving)

    def _asked(self, event: Interim) -> dict[Port, Tensor]:
        """Return the cotangents that enter at the end of an interval; those of states join the states'."""
        moving: dict[Port, Tensor] = {}
        for (port, time), cotangent in self.cotangents.items():
            if time == event.interval.stop:
                to = self.states if self.run.ports.output(port).role == "state" else moving
                _add(to, port, cotangent.expand(-1, self.run.members, *cotangent.shape[2:]))
        return moving

    def _step(self, taken: Taken, moving: dict[Port, Tensor]) -> None:
        p = taken.participant
        back = self._back(p, moving)
        came = step_gradient(taken, back, self.run.comm) if back else {}
        delivered = {e.target.port: e for e in self.run.into[p.name]}
        for (role, name), cotangent in came.items():
            port = p.port(name)
            arrived = role == "import" and port in delivered
            _add(self.states if role == "state" else moving if arrived else self.held, port, cotangent)
        for port, exchange in delivered.items():
            _return(moving, port, exchange.source.port, exchange.adjoint)

    def _back(self, p: Participant, moving: dict[Port, Tensor]) -> dict[Key, Tensor]:
        """Take away and return the cotangents of what the step gave."""
        back: dict[Key, Tensor] = {}
        for role, variables, source in (
            ("export", p.spec.exports, moving),
            ("state", p.spec.state, self.states),
        ):
            for v in variables:
                if p.port(v.name) in source:
                    back[role, v.name] = source.pop(p.port(v.name))
        return back


def _carry(moving: dict[Port, Tensor], source: Port, target: Port, forward: Operation) -> None:
    if source in moving:
        moving[target] = forward(moving[source])


def _return(moving: dict[Port, Tensor], target: Port, source: Port, adjoint: Operation) -> None:
    if target in moving:
        _add(moving, source, adjoint(moving.pop(target)))


def _add(total: dict[Port, Tensor], port: Port, value: Tensor) -> None:
    total[port] = total[port] + value if port in total else value
