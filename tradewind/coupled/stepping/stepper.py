"""One step of one component: given what exchanges and the outside bring, taken, and remembered.

The same code steps a run for the first time and again, when its tape kept moments only every so often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from tradewind.coupled.stepping.buffers import Buffer
from tradewind.coupled.stepping.traffic import Traffic, Weighted
from tradewind.coupled.tape import Answered, Moment, Participant, Port, Taken
from tradewind.couplers.coupling.component import Mode, Step, StepCall
from tradewind.couplers.coupling.fields import Fields, State, Variable
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.errors import SpecError, blame


class UngivenError(SpecError):
    """Nothing gives an import or a parameter a value."""


class Made(NamedTuple):
    """A step that was made: the moment after it, what the ledger says, and what a tape may hold."""

    after: Moment
    entries: Sequence[LedgerEntry]
    participant: Participant
    call: StepCall
    branch: Tensor | None
    answered_by: str
    weighted: Mapping[int, Weighted]
    chosen: Mapping[int, Tensor]

    @property
    def taken(self) -> Taken:
        """The step as a tape holds it."""
        call = self.call
        return Taken(
            self.participant, call.interval, call.state, call.imports, call.parameters, self.branch,
            self.answered_by, self.weighted, self.chosen, self.after.number - 1,
        )  # fmt: skip


class Answer(NamedTuple):
    """What a component answered, checked."""

    exports: dict[str, Tensor]
    state: State
    branch: Tensor | None
    by: str


class Wiring:
    """Names and shapes of what goes into a component's step and comes out of it, looked up once."""

    def __init__(self, p: Participant, members: int) -> None:
        self.participant, self.members, self.first = p, members, True
        self.imports = tuple((v.name, p.port(v.name)) for v in p.spec.imports)
        self.parameters = tuple((v.name, p.port(v.name)) for v in p.spec.parameters)
        self.exports = {v.name: (members, *p.shape(v)) for v in p.spec.exports}
        self.state = {v.name: (members, *p.shape(v)) for v in p.spec.state}
        self.ports = {v.name: p.port(v.name) for v in (*p.spec.imports, *p.spec.exports)}

    def given(self, known: Mapping[Port, Tensor], moment: Moment) -> tuple[Fields, Fields]:
        """Return imports and parameters: what exchanges bring (`known`), what was put, or else defaults."""
        if len(known) < len(self.imports) + len(self.parameters):
            known = {**self.participant.defaults, **moment.held, **known}
        imports = {name: for_members(_known(known, port), self.members) for name, port in self.imports}
        return imports, {n: for_members(_known(known, port), self.members) for n, port in self.parameters}

    def answer(self, call: StepCall) -> Answer:
        """Call the component; return its answer if it is what was declared."""
        p = self.participant
        try:
            step = self._first(call) if self.first else p.answer(call)
        except BaseException as error:
            blame(error, p.name)
            raise
        exports, fields = _fitting(step.exports, self.exports), _fitting(step.state.fields, self.state)
        if exports is None or fields is None:
            check_declared(p, "exports", step.exports, p.spec.exports, self.members)
            check_declared(p, "state", step.state.fields, p.spec.state, self.members)
            raise SpecError("answered with other fields than it declares", where=f"component {p.name!r}")
        branch = None if step.valid is None else ~step.valid
        return Answer(exports, State(fields, step.state.extras), branch, step.answered_by)

    def _first(self, call: StepCall) -> Step:
        """Make the component's first step, and refuse one that changes what it is given."""
        before, step = _versions(call), self.participant.answer(call)
        if _versions(call) != before:
            hint = "make new tensors, x + 1 and not x += 1: others hold the same memory"
            where = f"component {self.participant.name!r}"
            raise SpecError("changed what it was given, in place", where=where, hint=hint)
        self.first = False
        return step

    def with_halos(self, call: StepCall) -> StepCall:
        """Return the call with the rings of neighbouring cells that the component asks for; collective."""
        p = self.participant
        fields = {"state": call.state.fields, "import": call.imports, "parameter": call.parameters}
        filled: dict[str, dict[str, Tensor]] = {role: {} for role in fields}
        for role, v in p.given:
            filled[role][v.name] = p.filled((role, v.name), fields[role][v.name])
        state = State(filled["state"], call.state.extras)
        return replace(call, state=state, imports=filled["import"], parameters=filled["parameter"])


class Stepper:
    """Makes steps, from one moment to the next.

    Parameters
    ----------
    traffic
        Between what the plan names.
    comm
        Ranks that step together.
    """

    def __init__(self, traffic: Traffic, comm: Communicator) -> None:
        self.traffic, self.comm = traffic, comm
        self.plan, self.members = traffic.plan, traffic.members
        everybody = {planned.call.component: planned.participant for planned in self.plan.steps}
        self._wirings = {name: Wiring(p, self.members) for name, p in everybody.items()}
        self._count, self._next = len(self.plan), 0

    def once(self, moment: Moment) -> Made:
        """Make the next step; collective, and under ``torch.no_grad()``.

        Raises
        ------
        SpecError
            When nothing gives an import or a parameter a value, or the answer is not what is declared.
        LedgerError
            When an exchange has lost or made more than its tolerance.
        RankError
            When the step has failed on another rank.
        """
        return self._make(moment, Mode.FORWARD, None)

    def again(self, moment: Moment, answered: Answered) -> Made:
        """Make a step again as it was made, by those who answered then; the same bits, but no hooks' effects.

        Shadows and logs are not called and calls are not counted: see `Mode.REPLAY`.
        """
        with torch.no_grad():
            return self._make(moment, Mode.REPLAY, answered)

    def _make(self, moment: Moment, mode: Mode, before: Answered | None) -> Made:
        if moment.number != self._next:
            self.traffic.forget()
        self._next = moment.number + 1
        cycle, index = divmod(moment.number, self._count)
        planned, buffers = self.plan.steps[index], list(moment.buffers)
        name = planned.call.component
        wiring = self._wirings[name]
        interval = planned.interval(moment.origin + cycle * self.plan.cycle)
        given = self.traffic.give(buffers, planned, cycle, interval)
        known = {wiring.ports[name]: value for name, value in given.imports.items()}
        imports, parameters = wiring.given(known, moment)
        asked = None if before is None else before.branch
        call = StepCall(
            name, moment.states[name], imports, parameters, interval, mode, None, asked, self.comm
        )
        answer = self._answer(wiring, call)
        chosen = self.traffic.take(buffers, planned, cycle, answer.exports)
        branch, by = (answer.branch, answer.by) if before is None else (before.branch, before.by)
        after = _after(moment, wiring, known, answer, buffers)
        return Made(after, given.entries, wiring.participant, call, branch, by, given.weighted, chosen)

    def _answer(self, wiring: Wiring, call: StepCall) -> Answer:
        if wiring.participant.halos:
            call = wiring.with_halos(call)
        if self.comm.size == 1:
            return wiring.answer(call)
        with agree(self.comm, f"component {call.component!r}, step {call.interval}"):
            return wiring.answer(call)


def _after(
    moment: Moment, wiring: Wiring, known: Mapping[Port, Tensor], answer: Answer, buffers: Sequence[Buffer]
) -> Moment:
    name, exports = wiring.participant.name, {**moment.exports, **known}
    for variable, value in answer.exports.items():
        exports[wiring.ports[variable]] = value
    states = {**moment.states, name: answer.state}
    return Moment(moment.time, moment.origin, moment.number + 1, states, moment.held, exports, tuple(buffers))


def _known(known: Mapping[Port, Tensor], port: Port) -> Tensor:
    if port not in known:
        hint = f"add an exchange to {port}, or put it"
        raise UngivenError("no exchange, put or default gives it a value", where=port, hint=hint)
    return known[port]


def _versions(call: StepCall) -> list[int]:
    """Return how often what the step is given has been changed in place."""
    roles = (call.imports, call.parameters, call.state.fields)
    return [value._version for fields in roles for value in fields.values()]


def for_members(value: Tensor, members: int) -> Tensor:
    """Return a value of shape ``(member or 1, ...)`` for all members."""
    return value if value.shape[0] == members else value.expand(members, *value.shape[1:])


def _fitting(found: Fields, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor] | None:
    """Return the fields in memory of their own shape, in the declared order; None where one does not fit."""
    if len(found) != len(shapes):
        return None
    fields = {}
    for name, shape in shapes.items():
        value = found.get(name)
        if not isinstance(value, Tensor) or value.shape != shape or not value.dtype.is_floating_point:
            return None
        # products may give other bits for other strides, and a restored run has lost those
        fields[name] = value if value.is_contiguous() else value.contiguous()
    return fields


def check_declared(
    p: Participant, role: str, found: Fields, declared: Sequence[Variable], members: int
) -> None:
    """Refuse fields that are not those that a component declares, or not of floating point.

    Raises
    ------
    SpecError
        Names what came and what was declared.
    """
    wanted = {v.name: (members, *p.shape(v)) for v in declared}
    if _fitting(found, wanted) is None:
        came = {name: _in_words(value) for name, value in found.items()}
        raise SpecError(f"{role} came as {came}, declared is {wanted}", where=f"component {p.name!r}")


def _in_words(value: object) -> object:
    if not isinstance(value, Tensor):
        return type(value).__name__
    shape = tuple(value.shape)
    return shape if value.is_floating_point() else f"{value.dtype} of {shape}"
