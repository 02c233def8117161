"""The shadow: the reference model answers, the surrogate is only compared."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest
import torch

from tradewind.couplers.coupling.component import Interval, Step, StepCall
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.operators import MatrixOperator
from tradewind.errors import DomainError
from tradewind.plugins.options import Options
from tradewind.plugins.policies.shadow import Shadow

DAY = Interval(datetime(2000, 1, 1), datetime(2000, 1, 2))
CALL = StepCall("air", State(), {}, {}, DAY)


def step(*values):
    return Step({"x": torch.tensor(values, dtype=torch.float64)[:, None]}, State())


def matrix(*values):
    return MatrixOperator(torch.tensor([values], dtype=torch.float64))


class Net:
    """Answers what it was told to."""

    def __init__(self, answer=None, operator=None):
        self.answer, self.operator = answer, operator

    def tradewind_step(self, call):
        return self.answer

    def tradewind_linearize(self, model, x, window):
        return self.operator


def through(wrapper, value):
    next(wrapper)
    with pytest.raises(StopIteration) as stop:
        wrapper.send(value)
    return stop.value.value


def test_the_step_is_the_reference_models_own():
    shadow, own = Shadow(Options(), Net(step(3.0, 5.0))), step(3.0, 4.0)
    assert through(shadow.tradewind_step(CALL), own) is own


def test_the_relative_difference_by_hand():
    # the answers differ by 0 and 1: sqrt(1) / sqrt(9 + 16)
    shadow = Shadow(Options(), Net(step(3.0, 5.0)))
    through(shadow.tradewind_step(CALL), step(3.0, 4.0))
    assert shadow.relative_difference == pytest.approx(0.2)


def test_differences_are_gathered_over_steps():
    shadow = Shadow(Options(), Net(step(1.0)))
    for value in (1.0, 2.0):
        through(shadow.tradewind_step(CALL), step(value))
    assert shadow.relative_difference == pytest.approx((1.0 / 5.0) ** 0.5)


@pytest.mark.parametrize("net", [Net(), SimpleNamespace()], ids=["silent", "no step at all"])
def test_a_surrogate_without_an_answer_is_not_compared(net):
    shadow, own = Shadow(Options(), net), step(3.0)
    assert through(shadow.tradewind_step(CALL), own) is own
    assert shadow.relative_difference == 0.0


def test_the_operator_gives_the_reference_models_numbers_exactly():
    shadow = Shadow(Options(), Net(operator=matrix(1.0, 2.0)))
    model, x = matrix(0.1, 0.7), torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    operator = through(shadow.tradewind_linearize(SimpleNamespace(), None, DAY), model)
    assert torch.equal(operator.forward(x), model.forward(x))
    assert torch.equal(operator.adjoint(torch.ones(1, 1).double()), model.adjoint(torch.ones(1, 1).double()))


def test_operators_are_compared_when_they_are_applied():
    shadow = Shadow(Options(), Net(operator=matrix(3.0, 5.0)))
    operator = through(shadow.tradewind_linearize(SimpleNamespace(), None, DAY), matrix(3.0, 4.0))
    operator.forward(torch.eye(2, dtype=torch.float64))
    assert shadow.relative_difference == pytest.approx(0.2)


def test_the_reference_operator_is_made_where_nobody_else_answered():
    shadow, model = Shadow(Options(), Net(operator=matrix(1.0))), matrix(2.0)
    asked = SimpleNamespace(reference=lambda: model)
    operator = through(shadow.tradewind_linearize(asked, None, DAY), None)
    assert operator.reference is model


def test_without_a_shadow_the_answer_passes_unchanged():
    own = matrix(1.0)
    assert through(Shadow(Options(), Net()).tradewind_linearize(SimpleNamespace(), None, DAY), own) is own


def test_what_the_surrogate_knows_nothing_of_is_not_compared():
    class Blind:
        def tradewind_linearize(self, model, x, window):
            raise DomainError("knows columns")

    own = matrix(1.0)
    assert through(Shadow(Options(), Blind()).tradewind_linearize(None, None, DAY), own) is own
