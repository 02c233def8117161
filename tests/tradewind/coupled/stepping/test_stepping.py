"""One step: where its values come from, what an answer must be, and what is remembered of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.coupled.stepping.stepper import Stepper, for_members
from tradewind.coupled.tape import Answered
from tradewind.couplers.coupling.component import Mode, Step
from tradewind.couplers.coupling.fields import State
from tradewind.errors import SpecError


def stepper(run):
    return Stepper(run.traffic, run.comm)


def answering(change):
    """Return what answers as a tank does, but for a change."""

    def answer(call):
        amount = call.state.fields["amount"] + call.imports["inflow"]
        return change(Step({"level": 2.0 * amount}, State({"amount": amount}), answered_by="tank"))

    return answer


def tank_step(run):
    """Make the source's step, and return what the tank's made."""
    first = stepper(run).once(run.moment)
    return stepper(run).once(first.after)


def test_a_step_leaves_the_moment_before_it_as_it_was(make_chain):
    run = make_chain()
    before = run.moment
    made = stepper(run).once(before)
    assert (before.number, made.after.number) == (0, 1)
    assert (len(before.exports), set(made.after.exports)) == (0, {"source.flux"})
    assert made.after.time == before.time


def test_exchanges_come_before_what_was_put_and_puts_before_defaults(make_chain):
    run = make_chain()
    run.put("tank.inflow", torch.full((1, 4), 9.0, dtype=torch.float64))
    run.put("tank.rate", torch.tensor([3.0], dtype=torch.float64))
    taken = tank_step(run).taken
    assert taken.imports["inflow"].tolist() == [[2.0] * 4]
    assert taken.parameters["rate"].tolist() == [3.0]


def test_what_a_tape_holds_of_a_step(make_chain, toys):
    taken = tank_step(make_chain(answer=answering(lambda step: step), plugin="tank")).taken
    assert (taken.participant.name, taken.number, taken.answered_by) == ("tank", 1, "tank")
    assert (taken.interval.start, taken.interval.stop) == (toys.START, toys.at(1))
    assert taken.by_reference


def test_members_that_stood_outside_are_remembered(make_chain):
    def outside(step):
        return Step(step.exports, step.state, torch.tensor([True, False]), "guess")

    made = tank_step(make_chain(members=2, answer=answering(outside)))
    assert made.taken.branch.tolist() == [False, True]


def test_a_step_that_is_made_again_is_told_who_answered(make_chain):
    seen = []

    def watch(step):
        return step

    def answer(call):
        seen.append((call.mode, call.branch))
        return answering(watch)(call)

    run = make_chain(answer=answer)
    first = stepper(run).once(run.moment)
    branch = torch.tensor([True])
    again = stepper(run).again(first.after, Answered("guess", branch))
    assert seen == [(Mode.REPLAY, branch)]
    assert (again.taken.answered_by, again.taken.branch) == ("guess", branch)


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (torch.zeros(1, 3, dtype=torch.float64), r"'level': \(1, 3\)"),
        (torch.zeros(1, 4, dtype=torch.int64), r"'level': 'torch\.int64 of \(1, 4\)'"),
        (np.zeros((1, 4)), "'level': 'ndarray'"),
        (0.0, "'level': 'float'"),
    ],
)
def test_an_export_that_is_not_what_was_declared_is_named(make_chain, value, came):
    run = make_chain(answer=answering(lambda step: Step({"level": value}, step.state)))
    with pytest.raises(SpecError, match=f"component 'tank': exports came as {{{came}}}, declared is"):
        tank_step(run)


@pytest.mark.parametrize(("exports", "state"), [({}, None), ({"level": 1, "more": 1}, None), (None, {})])
def test_an_answer_with_other_names_is_refused(make_chain, exports, state):
    def change(step):
        value = step.exports["level"]
        found = step.exports if exports is None else dict.fromkeys(exports, value)
        return Step(found, step.state if state is None else State(state))

    role = "exports" if state is None else "state"
    with pytest.raises(SpecError, match=f"component 'tank': {role} came as"):
        tank_step(make_chain(answer=answering(change)))


def test_fields_are_remembered_in_memory_of_their_own_shape(make_chain):
    def turned(step):
        amount = step.state.fields["amount"]
        return Step({"level": torch.stack([amount, amount], dim=-1)[..., 0]}, step.state)

    made = tank_step(make_chain(answer=answering(turned), members=2))
    assert made.after.exports["tank.level"].is_contiguous()


def test_one_value_serves_all_members():
    one = torch.ones(1, 4)
    assert for_members(one, 3).shape == (3, 4)
    assert for_members(one, 1) is one


@pytest.mark.parametrize(
    "change",
    [
        lambda call: call.imports["inflow"].add_(1.0),
        lambda call: call.parameters["rate"].mul_(2.0),
        lambda call: call.state.fields["amount"].zero_(),
    ],
    ids=["import", "parameter", "state"],
)
def test_a_component_that_changes_what_it_is_given_is_refused(make_chain, change):
    # an import is the very memory of an export, and a state that of a moment which somebody keeps
    def answer(call):
        change(call)
        return answering(lambda step: step)(call)

    with pytest.raises(SpecError, match=r"'tank': changed what it was given, in place \(make new tensors"):
        tank_step(make_chain(answer=answer))
