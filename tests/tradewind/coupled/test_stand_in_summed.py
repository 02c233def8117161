"""A surrogate answers for one part of what is observed; the rest is stepped by its own model."""

from __future__ import annotations

import pytest
import torch

from tradewind.coupled.model import CoupledModel
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.assimilation.observing import SummedOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.operators import (
    DiagonalOperator,
    Distributed,
    IdentityOperator,
    MatrixOperator,
    Replicated,
    dot_test,
)
from tradewind.errors import SpecError
from tradewind.plugins.caller import Part, StepCaller

CELLS = 4


class Same:
    """A surrogate that is right, or off by a factor: level = rate 1/2 times 2 h times the mean inflow."""

    def __init__(self, factor=1.0):
        self.factor = factor

    def tradewind_linearize(self, model, x, window):
        space = Distributed(model.layouts[model.given])
        if self.factor == 1.0:
            return IdentityOperator(space)
        return DiagonalOperator(torch.full((CELLS,), self.factor, dtype=torch.float64), space)


class Offset:
    """Exports ``level = 3 shift`` everywhere: a component that nothing feeds."""

    def __init__(self, grid):
        self.grid = grid

    def describe(self):
        return Spec(
            exports=(Variable("level", "m", self.grid),), parameters=(Variable("shift", "m"),), linear=True
        )

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"level": 3.0 * parameters["shift"][:, None].expand(-1, CELLS)}, state

    def finalize(self): ...


class Both:
    """Control: x times 1, 2, 3, 4 of the source, and the shift, which is the last of x."""

    prior = torch.ones(CELLS + 1, dtype=torch.float64)
    targets = ("source.flux", "offset.shift")

    def __init__(self, toys, layout):
        self.toys, self.layout = toys, layout

    def at(self, window):
        return self

    def to_fields(self, x):
        return {"source.flux": self.toys.Scaled.field * x[..., :CELLS], "offset.shift": x[..., CELLS]}

    def linearize(self, x):
        weights = torch.cat([self.toys.Scaled.field, torch.ones(1, dtype=torch.float64)])
        return MatrixOperator(torch.diag(weights), Replicated(CELLS + 1), self._space)

    @property
    def _space(self):
        from tradewind.couplers.operators import Joined

        return Joined([Distributed(self.layout), Replicated(1)])


def build(toys, surrogates, insisting=(), control=Both, ports=("tank.level", "offset.level")):
    """Return a tank that a source fills, beside an offset; their levels are observed together."""
    flux = {"flux": torch.full((1, CELLS), 2.0, dtype=torch.float64)}
    source = toys.participant("source", toys.Source(), flux)
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(0.5)})
    offset = toys.participant("offset", Offset(toys.COARSE), {"shift": toys.scalar(0.0)})
    layout = tank.layouts["level"]
    run = CoupledRun(
        toys.Clock(toys.START, toys.at(4), toys.HOUR), [offset, tank, source],
        [toys.connect(source, "flux", tank, "inflow")],
    )  # fmt: skip
    windows = [Interval(toys.at(0), toys.at(2)), Interval(toys.at(2), toys.at(4))]
    models = {"tank": toys.Tank(), "offset": Offset(toys.COARSE), "source": toys.Source()}
    callers = {name: StepCaller(name, Part(name, models[name]), surrogates.get(name), ()) for name in models}
    made = control(toys, layout) if control is Both else control(layout)
    observe = SummedOperator(toys.Looks(layout), list(ports))
    return CoupledModel(run, made, observe, windows, callers, insisting=insisting)


X = torch.tensor([1.0, 0.5, 2.0, -1.0, 0.25], dtype=torch.float64)


def matrix(operator, n):
    return operator.forward(torch.eye(n, dtype=torch.float64)).T


@pytest.mark.parametrize("surrogates", [{}, {"tank": Part("same", Same())}], ids=["reference", "surrogate"])
def test_what_is_simulated_is_the_sum_of_both(toys, surrogates):
    model = build(toys, surrogates)
    # two hours at half of (x times 1, 2, 3, 4), and three times the shift
    expected = toys.Scaled.field * X[:CELLS] + 3.0 * X[CELLS]
    torch.testing.assert_close(model(X, model.windows[1]), expected, rtol=1e-15, atol=1e-15)
    batch = torch.stack([X, 2 * X])
    torch.testing.assert_close(
        model(batch, model.windows[1]), torch.stack([expected, 2 * expected]), rtol=1e-15, atol=1e-15
    )


def test_the_derivative_is_that_of_both(toys):
    found = [
        build(toys, surrogates).linearize(X, Interval(toys.at(0), toys.at(2)))
        for surrogates in ({}, {"tank": Part("same", Same())})
    ]
    expected = torch.cat([torch.diag(toys.Scaled.field), torch.full((CELLS, 1), 3.0).double()], dim=1)
    for jacobian in found:
        torch.testing.assert_close(matrix(jacobian, CELLS + 1), expected, rtol=1e-14, atol=1e-14)
        assert dot_test(jacobian) < 1e-13


def test_the_surrogate_answers_for_its_part_alone(toys):
    model = build(toys, {"tank": Part("twice", Same(2.0))})
    expected = 2.0 * toys.Scaled.field * X[:CELLS] + 3.0 * X[CELLS]
    torch.testing.assert_close(model(X, model.windows[0]), expected)
    assert model.replaced == "tank"


@pytest.mark.parametrize("ports", [("tank.level", "offset.level"), ("offset.level", "tank.level")])
def test_the_order_of_the_list_does_not_matter(toys, ports):
    model = build(toys, {"tank": Part("twice", Same(2.0))}, insisting={"tank"}, ports=ports)
    expected = 2.0 * toys.Scaled.field * X[:CELLS] + 3.0 * X[CELLS]
    torch.testing.assert_close(model(X, model.windows[0]), expected)


def test_the_model_that_is_replaced_is_not_stepped(toys):
    model = build(toys, {"tank": Part("same", Same())})
    assert {p.name for p in model._stand_ins.beside.participants} == {"offset"}


def test_a_control_of_one_part_alone_leaves_the_other_as_it_is(toys):
    model = build(toys, {"tank": Part("same", Same())}, control=toys.Scaled)
    jacobian = matrix(model.linearize(model.control.prior, model.windows[0]), CELLS)
    torch.testing.assert_close(jacobian, torch.diag(toys.Scaled.field), rtol=1e-14, atol=1e-14)


def test_a_control_of_the_other_part_alone(toys):
    class Shift:
        prior, targets = torch.ones(1, dtype=torch.float64), ("offset.shift",)

        def __init__(self, layout): ...

        def at(self, window):
            return self

        def to_fields(self, x):
            return {"offset.shift": x[..., 0]}

        def linearize(self, x):
            return IdentityOperator(Replicated(1))

    model = build(toys, {"tank": Part("same", Same())}, control=Shift)
    jacobian = matrix(model.linearize(model.control.prior, model.windows[0]), 1)
    assert jacobian.tolist() == [[3.0]] * CELLS
    # the source fills the tank with 2 everywhere, whatever is controlled
    assert model(model.control.prior, model.windows[0]).tolist() == [5.0] * CELLS


def test_two_surrogates_that_insist_are_refused(toys):
    both = {"tank": Part("same", Same()), "offset": Part("same", Same())}
    model = build(toys, both, insisting={"tank", "offset"})
    with pytest.raises(SpecError, match="component 'offset': its surrogate knows one export"):
        model(X, model.windows[0])
