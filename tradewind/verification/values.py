"""Checks that a step is a function of what it is given, and of nothing else."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Mode
from tradewind.couplers.coupling.fields import PerMember, State
from tradewind.testing.checks import Unchanged, require_same
from tradewind.verification.findings import Finding, NotApplicable, Outcome
from tradewind.verification.flat import Vector, norm

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Moment, Taken
    from tradewind.couplers.coupling.component import Key, Step
    from tradewind.verification.subjects import StepSubject, Subject

MEMBERS = 3
APART = 0.01
"""By how much members differ, relative to the size of what they hold."""


class Repeatable:
    """The same twice gives the same bits, whatever was asked in between."""

    name = "same bits twice"
    advice = (
        "something outside of the state is remembered or drawn: random numbers belong into the state's "
        "extras, caches must not change answers, and sums must be made in a fixed order"
    )

    def of(self, subject: Subject) -> Finding:
        """Step twice, from elsewhere in between."""
        first = subject.value(subject.at)
        subject.value({k: v + 0.1 * subject.scales[k] for k, v in subject.at.items()})
        again = subject.value(subject.at)
        apart = _largest(first, again)
        return _exact(subject.name, self.name, apart, self.advice)


class StateIsValue:
    """A step changes nothing of what it is given: others hold the same memory."""

    name = "state is a value"
    advice = "the step changes what it was given in place: make new tensors, x + 1 and not x += 1"

    def of(self, subject: StepSubject) -> Finding:
        """Step, and look whether what was given is as it was."""
        given = {k: v.clone() for k, v in subject.given.items()}
        call = subject.taken.call(given, Mode.REPLAY)
        try:
            with torch.no_grad(), Unchanged("step", call.state, call.imports, call.parameters):
                subject.taken.participant.answer(call)
        except AssertionError as error:
            note = str(error).partition(": ")[2]
            return Finding(subject.name, self.name, Outcome.FAILED, note=note, advice=self.advice)
        return Finding(subject.name, self.name, Outcome.PASSED)


class MembersAlone:
    """A step of members together gives each what it gets alone, to the bit.

    Ensembles are dealt to ranks in waves: answers that depend on how many step together depend on the number
    of ranks.
    """

    name = "members alone"
    advice = (
        "members must not meet: look for sums, means or random numbers over the first axis; a difference of "
        "rounding comes from matrix products, whose bits depend on their shape: loop over members there"
    )

    def of(self, subject: StepSubject, seed: int) -> Finding:
        """Step three members together, then each alone."""
        together = _several(subject, seed)
        if not together:
            raise NotApplicable("takes nothing in which members could differ")
        whole = _outcome(_step(subject, together, range(MEMBERS)))
        alone = [_outcome(_step(subject, together, (m,))) for m in range(MEMBERS)]
        joined = {k: torch.cat([part[k] for part in alone]) for k in whole}
        return _exact(subject.name, self.name, _largest(whole, joined), self.advice)


def _several(subject: StepSubject, seed: int) -> dict[Key, Tensor]:
    """Return all that the step is given for several members, each a little different."""
    generator = torch.Generator().manual_seed(seed)
    out = {}
    for key, value in subject.given.items():
        wide = value[:1].expand(MEMBERS, *value.shape[1:])
        drawn = torch.randn(wide.shape, generator=generator, dtype=torch.float64).to(value.dtype)
        out[key] = wide * (1.0 + APART * drawn)
    return out


def _step(subject: StepSubject, given: dict[Key, Tensor], members: range | tuple[int, ...]) -> Step:
    taken, index = subject.taken, torch.tensor(list(members))
    call = taken.call({k: v[index].clone() for k, v in given.items()}, Mode.REPLAY)
    branch = None if taken.branch is None else taken.branch[:1].expand(len(index)).clone()
    call = replace(call, state=State(call.state.fields, _extras(taken, len(index))), branch=branch)
    with torch.no_grad():
        return taken.participant.answer(call)


def _extras(taken: Taken, members: int) -> dict[str, object]:
    """Return what is remembered beside fields, for so many members alike."""
    return {
        name: PerMember(value[:1] * members) if isinstance(value, PerMember) else value
        for name, value in taken.state.extras.items()
    }


def _outcome(step: Step) -> dict[Key, Tensor]:
    exports = {("export", k): v.clone() for k, v in step.exports.items()}
    return exports | {("state", k): v.clone() for k, v in step.state.fields.items()}


class ZeroLength:
    """A run of no length is the identity, and begins with the same bits every time."""

    name = "zero length"
    advice = "`initialize` gives another state each time: draw nothing there without a seed of its own"

    def of(self, run: CoupledRun, start: Moment) -> Finding:
        """Advance to where the run stands, and start anew."""
        run.rewind(start)
        run.advance(start.time)
        anew = run.start(start.time)
        note = ""
        for other in (run.moment, anew):
            try:
                require_same(_states(other), _states(start), "state")
            except AssertionError as error:
                note = str(error)
        outcome = Outcome.FAILED if note else Outcome.PASSED
        return Finding("coupled run", self.name, outcome, note=note, advice=self.advice if note else "")


def _states(moment: Moment) -> dict[str, object]:
    return {name: state.fields for name, state in moment.states.items()}


def _largest(a: Vector, b: Vector) -> float:
    """Return the largest relative difference of any field; 0 only where all bits are the same."""
    return max((_relative(a[k], b[k], k) for k in a), default=0.0)


def _relative(a: Tensor, b: Tensor, name: Hashable) -> float:
    if torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(), b.nan_to_num()):
        return 0.0
    size = norm(b)
    return norm(a - b) / size if size else float("inf")


def _exact(subject: str, check: str, apart: float, advice: str) -> Finding:
    outcome = Outcome.PASSED if apart == 0.0 else Outcome.FAILED
    return Finding(subject, check, outcome, apart, 0.0, advice="" if apart == 0.0 else advice)
