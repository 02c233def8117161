"""Derivatives of a recorded run: the tape replayed forward for tangents, in reverse for gradients.

Between steps and components this module adds up cotangents itself, in the declared order, with explicit
zeros where nothing depends: every rank enters every exchange. Within a step, see the
module `steps` beside it.

All tangents and cotangents carry one leading batch axis: shape ``(k, member, *extra, cell)``; a member axis
of one serves all members.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from tradewind.coupled.derivatives.checkpoints import Tape
from tradewind.coupled.derivatives.paths import reached
from tradewind.coupled.derivatives.steps import step_gradient, step_tangent
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.stepping.buffers import accumulated, mixed
from tradewind.coupled.stepping.plan import Give, Planned, Take
from tradewind.coupled.stepping.traffic import over_extras
from tradewind.coupled.tape import Event, Port, Put, Taken, TapeEvent
from tradewind.couplers.coupling.component import Key
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.couplers.ranks.parallel import tree_sum
from tradewind.errors import SpecError

Name = TypeVar("Name", str, Key)
_ByStep: TypeAlias = Mapping[tuple[str, Time], Sequence[Event]]


def tangents(
    run: CoupledRun, tape: Tape, given: Mapping[Event, Tensor], wanted: Sequence[Event]
) -> dict[Event, Tensor]:
    """Replay `tape` forward: tangents of `wanted` exports, for tangents of the puts in `given`.

    Parameters
    ----------
    given
        By ``(port, time)`` of the put, shape ``(k, member, *extra, cell)``; at least one, and the same
        events on all ranks. Where a port was put twice at one time, the last put counts.
    wanted
        Ports and times: an export at the end of a step, what an import was given for the step that ends
        then, or a state variable after it.

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
    _check(run, given, tape.puts, run.ports.inputs)
    _check_times(run, wanted, tape)
    if not given:
        raise SpecError("no tangent was given", where="tangents", hint="name what was put, and when")
    sweep = Forward(run, given, _by_step(run, wanted))
    for event in tape:
        sweep.take(event)
    like = next(iter(given.values()))
    return {event: sweep.result(event, like) for event in wanted}


def gradients(run: CoupledRun, tape: Tape, cotangents: Mapping[Event, Tensor]) -> dict[Event, Tensor]:
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
        is absent. Components that no put can reach are passed over: they need no adjoint.

    Raises
    ------
    SpecError
        Events that the tape does not hold, or shapes that do not fit.
    NotDifferentiableError
        When a component on the way has no adjoint.
    """
    _check_times(run, cotangents, tape)
    _check(run, cotangents, cotangents, run.ports.outputs)
    put = {run.ports.input(port).component for port, _ in tape.puts}
    sweep = Reverse(run, cotangents, _by_step(run, cotangents), reached(run.exchanges, put))
    for event in reversed(tape):
        sweep.take(event)
    return sweep.found


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


def _check_times(run: CoupledRun, events: Collection[Event], tape: Tape) -> None:
    for port, time in events:
        component = run.ports.output(port).component
        if not tape.has_step(component, time):
            raise SpecError(f"no recorded step of {component!r} ends at {time}", where=port)


def _by_step(run: CoupledRun, events: Iterable[Event]) -> _ByStep:
    """Return events by the component, and the end of the step, that they belong to."""
    found: dict[tuple[str, Time], list[Event]] = {}
    for port, time in events:
        found.setdefault((run.ports.output(port).component, time), []).append((port, time))
    return found


class _Sweep:
    """What both sweeps know of the run."""

    run: CoupledRun

    def planned(self, taken: Taken) -> tuple[int, Planned]:
        """Return the coupling interval of a step, and its place in the plan."""
        plan = self.run.plan
        cycle, index = divmod(taken.number, len(plan))
        return cycle, plan.steps[index]


@dataclass
class Forward(_Sweep):
    """Tangents on their way forward along the tape."""

    run: CoupledRun
    given: Mapping[Event, Tensor]
    wanted: _ByStep
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    windows: dict[int, dict[int, Tensor]] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        """Go forward through an event."""
        if isinstance(event, Put):
            self._put(event)
        else:
            self._step(event)

    def result(self, event: Event, like: Tensor) -> Tensor:
        """Return what was wanted; zeros where nothing depends on what was given."""
        if event in self.found:
            return self.found[event]
        return like.new_zeros(len(like), self.run.members, *self.run.ports.output(event[0]).inner)

    def _put(self, event: Put) -> None:
        of = self.states if event.role == "state" else self.held
        of.pop(event.port, None)
        tangent = self.given.get((event.port, event.time))
        if tangent is not None:
            of[event.port] = tangent.expand(-1, self.run.members, *tangent.shape[2:])

    def _step(self, taken: Taken) -> None:
        cycle, planned = self.planned(taken)
        delivered = self._delivered(planned, cycle, taken)
        came = step_tangent(taken, self._active(taken, delivered), self.run.comm)
        self.states |= {taken.participant.port(n): v for (role, n), v in came.items() if role == "state"}
        exported = {name: tangent for (role, name), tangent in came.items() if role == "export"}
        for take in planned.takes:
            self._take(take, cycle, exported.get(take.channel.exchange.source.variable.name), taken)
        self.find(taken, {"import": delivered, "export": exported})

    def find(self, taken: Taken, moving: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Keep what is wanted of the step."""
        for event in self.wanted.get((taken.participant.name, taken.interval.stop), ()):
            place = self.run.ports.output(event[0])
            if place.role == "state":
                tangent = self.states.get(event[0])
            else:
                tangent = moving[place.role].get(place.variable.name)
            if tangent is not None:
                self.found[event] = tangent

    def _delivered(self, planned: Planned, cycle: int, taken: Taken) -> dict[str, Tensor]:
        """Return the tangents of what the exchanges give to the step, by import."""
        delivered: dict[str, Tensor] = {}
        for name, gives in planned.gives.items():
            for give in gives:
                for part in self._parts(give, cycle, taken):
                    _add(delivered, name, part)
        for give in planned.closing:
            windows, kept = self.windows.get(give.channel.number, {}), give.kept(cycle)
            self.windows[give.channel.number] = {k: v for k, v in windows.items() if k >= kept}
        return delivered

    def _parts(self, give: Give, cycle: int, taken: Taken) -> list[Tensor]:
        own = self._carried(give, cycle)
        if give.moving is None:
            return [] if own is None else [own]
        fraction, carried = taken.weighted[give.channel.number]
        of_fraction = self._carried(give.moving, cycle)
        parts = [] if own is None else [over_extras(fraction, carried) * own]
        if of_fraction is not None:
            parts.append(over_extras(of_fraction, carried[None]) * carried)
        return parts

    def _carried(self, give: Give, cycle: int) -> Tensor | None:
        channel = give.channel
        tangent = mixed(self.windows.get(channel.number, {}), give, cycle * channel.per_cycle)
        return None if tangent is None else channel.exchange.tangent(tangent)

    def _take(self, take: Take, cycle: int, tangent: Tensor | None, taken: Taken) -> None:
        channel, base = take.channel, cycle * take.channel.per_cycle
        windows = self.windows.setdefault(channel.number, {})
        if channel.timing.reduction.is_linear:
            new = windows if tangent is None else accumulated(windows, take, base, tangent)
        else:
            new = _chosen(windows, base + take.window, taken.chosen[channel.number], tangent)
        self.windows[channel.number] = new

    def _active(self, taken: Taken, delivered: Mapping[str, Tensor]) -> dict[Key, Tensor]:
        """Return the tangents of what the step is given; those of its state are taken away."""
        p = taken.participant
        fed = {e.target.variable.name for e in self.run.into[p.name]}
        active: dict[Key, Tensor | None] = {}
        for role, v in p.given:
            if role == "state":
                active[role, v.name] = self.states.pop(p.port(v.name), None)
            elif role == "import" and v.name in fed:
                active[role, v.name] = delivered.get(v.name)
            else:
                active[role, v.name] = self.held.get(p.port(v.name))
        return {key: tangent for key, tangent in active.items() if tangent is not None}


@dataclass
class Reverse(_Sweep):
    """Cotangents on their way back along the tape."""

    run: CoupledRun
    cotangents: Mapping[Event, Tensor]
    asked: _ByStep
    active: frozenset[str]
    held: dict[Port, Tensor] = field(default_factory=dict)
    states: dict[Port, Tensor] = field(default_factory=dict)
    windows: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    found: dict[Event, Tensor] = field(default_factory=dict)

    def take(self, event: TapeEvent) -> None:
        """Go back through an event."""
        if isinstance(event, Put):
            self._put(event)
        else:
            self._step(event)

    def _put(self, event: Put) -> None:
        of = self.states if event.role == "state" else self.held
        if event.port in of:
            cotangent = of.pop(event.port)
            one_for_all = event.members == 1 and self.run.members > 1
            # torch's own sum over members depends on the number of cells
            reduced = tree_sum(cotangent.movedim(1, 0))[:, None] if one_for_all else cotangent
            self.found.setdefault((event.port, event.time), reduced)

    def _step(self, taken: Taken) -> None:
        cycle, planned = self.planned(taken)
        p = taken.participant
        if p.name not in self.active:
            return
        asked = self._asked(taken)
        for take in reversed(planned.takes):
            self._take(take, cycle, asked, taken)
        came = self._through(taken, asked)
        delivered = {name: asked["import", name] for name in planned.gives if ("import", name) in asked}
        for (role, name), cotangent in came.items():
            if role == "import" and name in planned.gives:
                _add(delivered, name, cotangent)
            else:
                _add(self.states if role == "state" else self.held, p.port(name), cotangent)
        for name, gives in reversed(list(planned.gives.items())):
            if name in delivered:
                for give in reversed(gives):
                    self._give(give, cycle, delivered[name], taken)

    def _asked(self, taken: Taken) -> dict[Key, Tensor]:
        """Return the cotangents that enter at the end of a step; those of states join the states'."""
        asked: dict[Key, Tensor] = {}
        for event in self.asked.get((taken.participant.name, taken.interval.stop), ()):
            place, cotangent = self.run.ports.output(event[0]), self.cotangents[event]
            whole = cotangent.expand(-1, self.run.members, *cotangent.shape[2:])
            if place.role == "state":
                _add(self.states, event[0], whole)
            else:
                asked[place.role, place.variable.name] = whole
        return asked

    def _through(self, taken: Taken, asked: Mapping[Key, Tensor]) -> dict[Key, Tensor]:
        """Return the cotangents of what the step was given; those of its state are taken away."""
        p = taken.participant
        back = {key: cotangent for key, cotangent in asked.items() if key[0] == "export"}
        for v in p.spec.state:
            if p.port(v.name) in self.states:
                back["state", v.name] = self.states.pop(p.port(v.name))
        return step_gradient(taken, back, self.run.comm) if back else {}

    def _take(self, take: Take, cycle: int, asked: dict[Key, Tensor], taken: Taken) -> None:
        """Return what a period's value has collected to the export that was taken into it."""
        channel = take.channel
        key = (channel.number, cycle * channel.per_cycle + take.window)
        if key not in self.windows:
            return
        whole, export = self.windows[key], ("export", channel.exchange.source.variable.name)
        if not channel.timing.reduction.is_linear:
            chosen = taken.chosen[channel.number]
            _add(asked, export, torch.where(chosen, whole, 0.0))
            self.windows[key] = torch.where(chosen, 0.0, whole)
        elif take.weight:
            _add(asked, export, whole if take.weight == 1.0 else take.weight * whole)
        if take.opens:
            del self.windows[key]

    def _give(self, give: Give, cycle: int, cotangent: Tensor, taken: Taken) -> None:
        """Return the cotangent of what was given to the periods that it was made of."""
        if give.moving is not None:
            fraction, carried = taken.weighted[give.channel.number]
            self._return(give.moving, cycle, _without_extras(cotangent * carried, fraction))
            cotangent = over_extras(fraction, carried) * cotangent
        self._return(give, cycle, cotangent)

    def _return(self, give: Give, cycle: int, cotangent: Tensor) -> None:
        base = cycle * give.channel.per_cycle
        terms = [(base + window, weight) for window, weight in give.terms if base + window >= 0]
        exchange = give.channel.exchange
        if not terms or exchange.source.component not in self.active:
            return
        back = exchange.adjoint(cotangent)
        for window, weight in terms:
            key, part = (give.channel.number, window), back if weight == 1.0 else weight * back
            self.windows[key] = self.windows[key] + part if key in self.windows else part


def _chosen(
    windows: Mapping[int, Tensor], number: int, chosen: Tensor, tangent: Tensor | None
) -> dict[int, Tensor]:
    """Return the tangents of extremes: from the steps that attained them."""
    known = windows.get(number)
    if known is None and tangent is None:
        return dict(windows)
    like = known if tangent is None else tangent
    zero = torch.zeros_like(like)  # type: ignore[arg-type]
    new = torch.where(chosen, zero if tangent is None else tangent, zero if known is None else known)
    return {**windows, number: new}


def _without_extras(cotangent: Tensor, fraction: Tensor) -> Tensor:
    """Return the sum over the axes of levels: what a fraction that serves all of them is given back."""
    while cotangent.ndim > fraction.ndim + 1:
        cotangent = tree_sum(cotangent.movedim(-2, 0))
    return cotangent


def _add(total: dict[Name, Tensor], name: Name, value: Tensor) -> None:
    total[name] = total[name] + value if name in total else value
