"""One step of one component: given what exchanges and the outside bring, taken, and remembered.

The same code steps a run for the first time and again, when its tape kept moments only every so often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tradewind.coupled.buffers import Buffer
from tradewind.coupled.plan import Planned
from tradewind.coupled.tape import Answered, Moment, Participant, Port, Taken
from tradewind.coupled.traffic import Given, Traffic
from tradewind.couplers.coupling.component import Mode, Step
from tradewind.couplers.coupling.fields import Fields, Variable
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.errors import SpecError


@dataclass(frozen=True)
class Made:
    """A step that was made: what it was given, the moment after it, and what the ledger says."""

    taken: Taken
    after: Moment
    entries: Sequence[LedgerEntry]


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

    def once(self, moment: Moment) -> Made:
        """Make the next step; collective.

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
        return self._make(moment, Mode.REPLAY, answered)

    def _make(self, moment: Moment, mode: Mode, answered: Answered | None) -> Made:
        cycle, index = divmod(moment.number, len(self.plan))
        planned, buffers = self.plan.steps[index], list(moment.buffers)
        given = self.traffic.give(buffers, planned, cycle, moment.origin)
        taken = self._taken(moment, planned, given)
        if answered is not None:
            taken = replace(taken, branch=answered.branch, answered_by=answered.by)
        step = self._step(taken, mode)
        chosen = self.traffic.take(buffers, planned, cycle, step.exports)
        if answered is None:
            branch = None if step.valid is None else ~step.valid
            taken = replace(taken, branch=branch, answered_by=step.answered_by)
        after = _after(moment, taken, step, given.imports, tuple(buffers))
        return Made(replace(taken, chosen=chosen), after, given.entries)

    def _taken(self, moment: Moment, planned: Planned, given: Given) -> Taken:
        p = planned.participant
        known = {**p.defaults, **moment.held, **{p.port(k): v for k, v in given.imports.items()}}
        imports, parameters = (
            {v.name: for_members(_known(known, p.port(v.name)), self.members) for v in variables}
            for variables in (p.spec.imports, p.spec.parameters)
        )
        interval = self.plan.interval(moment.number, moment.origin)
        state = moment.states[p.name]
        return Taken(p, interval, state, imports, parameters, weighted=given.weighted, number=moment.number)

    def _step(self, taken: Taken, mode: Mode) -> Step:
        p = taken.participant
        given = {key: p.filled(key, value) for key, value in taken.given().items()}
        call = taken.call(given, mode, self.comm)
        with agree(self.comm, f"component {p.name!r}, step {taken.interval}"), torch.no_grad():
            return _checked(p, p.answer(call), self.members)


def _after(moment: Moment, taken: Taken, step: Step, imports: Fields, buffers: tuple[Buffer, ...]) -> Moment:
    p = taken.participant
    new = {p.port(name): value for fields in (imports, step.exports) for name, value in fields.items()}
    return replace(
        moment, number=taken.number + 1, states={**moment.states, p.name: step.state},
        exports={**moment.exports, **new}, buffers=buffers,
    )  # fmt: skip


def _known(known: Mapping[Port, Tensor], port: Port) -> Tensor:
    if port not in known:
        hint = f"add an exchange to {port}, or put it"
        raise SpecError("no exchange, put or default gives it a value", where=port, hint=hint)
    return known[port]


def for_members(value: Tensor, members: int) -> Tensor:
    """Return a value of shape ``(member or 1, ...)`` for all members."""
    return value.expand(members, *value.shape[1:])


def _checked(p: Participant, step: Step, members: int) -> Step:
    """Return the answer if it is what the component declares."""
    check_declared(p, "exports", step.exports, p.spec.exports, members)
    check_declared(p, "state", step.state.fields, p.spec.state, members)
    state = replace(step.state, fields=_contiguous(step.state.fields))
    return replace(step, exports=_contiguous(step.exports), state=state)


def _contiguous(fields: Fields) -> Fields:
    # products may give other bits for other strides, and a restored run has lost those
    return {name: value.contiguous() for name, value in fields.items()}


def check_declared(
    p: Participant, role: str, found: Fields, declared: Sequence[Variable], members: int
) -> None:
    """Refuse fields that are not those that a component declares.

    Raises
    ------
    SpecError
        Names what came and what was declared.
    """
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    wanted = {v.name: (members, *p.shape(v)) for v in declared}
    if shapes != wanted:
        raise SpecError(f"{role} came as {shapes}, declared is {wanted}", where=f"component {p.name!r}")
