"""The guard: a surrogate's answer where it is valid, the reference model's elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest
import torch

from tradewind.couplers.coupling.component import Interval, Mode, Step, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.operators import MatrixOperator
from tradewind.errors import DomainError, PluginError
from tradewind.plugins.options import Options
from tradewind.plugins.policies.guard import Guard, merged

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def answer(*values, name="net", valid=None):
    x = column(*values)
    return Step({"x": x}, State({"x": 10 * x}), None if valid is None else torch.tensor(valid), name)


class Reference:
    """Answers 100, 101, 102, … by member, and notes for whom it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, members):
        self.asked.append(members.tolist())
        return answer(*(100.0 + members).tolist(), name="model")


def guarded(step, reference=None, **changes):
    """Send a step through the guard."""
    call = StepCall("air", State(), {}, {}, DAY, reference=reference, **changes)
    wrapper = Guard(Options()).tradewind_step(call)
    next(wrapper)
    with pytest.raises(StopIteration) as stop:
        wrapper.send(step)
    return stop.value.value


def test_members_outside_are_answered_by_the_reference_model():
    reference = Reference()
    step = guarded(answer(1, 2, 3, valid=[True, False, True]), reference)
    assert step.exports["x"].flatten().tolist() == [1.0, 101.0, 3.0]
    assert step.state.fields["x"].flatten().tolist() == [10.0, 1010.0, 30.0]
    assert reference.asked == [[1]]


def test_a_merged_answer_names_both_and_says_what_the_surrogate_could_do():
    step = guarded(answer(1, 2, valid=[False, True]), Reference())
    assert step.answered_by == "net+model"
    assert step.valid.tolist() == [False, True]


@pytest.mark.parametrize("valid", [None, [True, True]])
def test_a_step_that_is_valid_or_the_models_own_passes_unchanged(valid):
    reference, step = Reference(), answer(1, 2, valid=valid)
    assert guarded(step, reference) is step
    assert not reference.asked


def test_in_replay_the_recorded_branch_is_taken_again():
    step = answer(1, 2, 3, valid=[True, True, True])
    again = guarded(step, Reference(), mode=Mode.REPLAY, branch=torch.tensor([False, False, True]))
    assert again.exports["x"].flatten().tolist() == [1.0, 2.0, 102.0]


def test_in_replay_what_is_valid_now_does_not_count():
    step = answer(1, 2, valid=[False, False])
    assert guarded(step, Reference(), mode=Mode.REPLAY, branch=torch.tensor([False, False])) is step


def test_without_a_reference_model_the_component_is_named():
    wrapper = Guard(Options()).tradewind_step(StepCall("air", State(), {}, {}, DAY))
    next(wrapper)
    with pytest.raises(PluginError, match="guard of 'air': no reference model can be asked"):
        wrapper.send(answer(1, valid=[False]))


def test_merging_lets_gradients_through_to_the_answer_that_was_used():
    x, y = column(1.0, 2.0).requires_grad_(), column(5.0).requires_grad_()
    both = merged(Step({"x": x}, State()), Step({"x": y}, State()), torch.tensor([1]))
    both.exports["x"].sum().backward()
    assert x.grad.flatten().tolist() == [1.0, 0.0]
    assert y.grad.flatten().tolist() == [1.0]


def test_merging_leaves_both_answers_as_they_were():
    step, other = answer(1, 2), answer(100)
    merged(step, replace(other), torch.tensor([0]))
    assert step.exports["x"].flatten().tolist() == [1.0, 2.0]


def linearized(operator, reference):
    wrapper = Guard(Options()).tradewind_linearize(SimpleNamespace(reference=lambda: reference), None, DAY)
    next(wrapper)
    with pytest.raises(StopIteration) as stop:
        wrapper.send(operator)
    return stop.value.value


def test_columns_that_the_surrogate_cannot_answer_are_the_reference_models():
    net = MatrixOperator(torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64))
    net.valid = torch.tensor([True, False, True])
    model = MatrixOperator(torch.tensor([[10.0, 20.0, 30.0]], dtype=torch.float64))
    jacobian = linearized(net, model).forward(torch.eye(3, dtype=torch.float64))
    assert jacobian.flatten().tolist() == [1.0, 20.0, 3.0]


@pytest.mark.parametrize("operator", [None, MatrixOperator(torch.eye(2, dtype=torch.float64))])
def test_an_operator_that_does_not_say_where_it_is_valid_passes_unchanged(operator):
    assert linearized(operator, None) is operator


def test_an_export_that_the_surrogate_knows_nothing_of_is_the_models_to_answer():
    wrapper = Guard(Options()).tradewind_linearize(None, None, DAY)
    next(wrapper)
    with pytest.raises(StopIteration) as stop:
        wrapper.throw(DomainError("knows columns"))
    assert stop.value.value is None
