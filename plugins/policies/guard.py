"""Guard: the surrogate answers inside its domain, the reference model elsewhere."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tradewind.couplers.assimilation.linearization import GuardedOperator, WindowModel
from tradewind.couplers.coupling.component import Mode, Step, StepCall
from tradewind.couplers.coupling.fields import Fields
from tradewind.couplers.operators import LinearOperator
from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import DomainError, PluginError
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options


class Guard:
    """Sends members, or columns of a Jacobian, that the surrogate cannot answer to the reference model.

    In replay the branch that was recorded is taken again, so that derivatives are those of the answer.
    """

    modes = frozenset(Mode)

    def __init__(self, options: Options, surrogate: object = None) -> None:
        self.options = options

    @hookimpl(wrapper=True)
    def tradewind_step(self, call: StepCall) -> Generator[None, Step, Step]:
        """Merge both answers by member."""
        with agree(call.comm, f"component {call.component!r}"):
            step = yield
        step = _agreed(step, call)
        outside = _outside(step, call)
        if outside is None or not bool(outside.any()):
            return step
        if call.reference is None:
            raise PluginError("no reference model can be asked", where=f"guard of {call.component!r}")
        members = outside.nonzero().flatten()
        return merged(step, call.reference(members), members)

    @hookimpl(wrapper=True)
    def tradewind_linearize(
        self, model: WindowModel, x: Any, window: Any
    ) -> Generator[None, Any, LinearOperator | None]:
        """Take the reference model's columns where the surrogate's are not valid, or all of them."""
        try:
            operator: LinearOperator | None = yield
        except DomainError:
            return None  # it knows nothing of what is asked: the model runs
        valid = getattr(operator, "valid", None)
        if operator is None or valid is None:
            return operator
        return GuardedOperator(operator, model.reference(), valid)


def _agreed(step: Step, call: StepCall) -> Step:
    """Return `step` with members valid only where all ranks say so: no rank may branch alone."""
    if step.valid is None or call.comm.size == 1:
        return step
    every = call.comm.allgather(step.valid.tolist())
    return replace(step, valid=torch.tensor(every).all(0))


def _outside(step: Step, call: StepCall) -> Tensor | None:
    if call.mode is Mode.REPLAY:
        return call.branch
    return None if step.valid is None else ~step.valid


def merged(step: Step, other: Step, members: Tensor) -> Step:
    """Return `step` with `members` taken from `other`; ``valid`` still says what the surrogate could do."""
    exports = _merge(step.exports, other.exports, members)
    state = step.state.merge(other.state, members)
    return replace(step, exports=exports, state=state, answered_by=f"{step.answered_by}+{other.answered_by}")


def _merge(fields: Fields, others: Fields, members: Tensor) -> Fields:
    return {name: torch.index_copy(value, 0, members, others[name]) for name, value in fields.items()}
