"""The forward model: control, coupled run, surrogate and observations, on numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch

from tradewind.coupled.derivatives.operators import BLOCK, RunTangent, Weighted
from tradewind.coupled.model import CoupledModel
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import DiagonalOperator, Distributed, IdentityOperator, Replicated, dot_test
from tradewind.errors import SpecError
from tradewind.plugins.caller import Part, StepCaller

CELLS = 4
SEES = torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0.5, 0]], dtype=torch.float64)
OFFSET = torch.tensor([100.0, 200.0], dtype=torch.float64)


class TenTimes:
    """A surrogate: level = 10 times the mean inflow, with a standard deviation of a tenth of the inflow."""

    def __init__(self, error=None):
        self.error, self.asked = error, 0

    def tradewind_linearize(self, model, x, window):
        self.asked += 1
        space = Distributed(model.layouts[model.given])
        operator = DiagonalOperator(torch.full((CELLS,), 10.0, dtype=torch.float64), space)
        operator.variance = lambda flux: None if self.error is None else (self.error * flux).square()
        return operator


@pytest.fixture
def model(make_chain, toys):
    """Return a function that makes the model of a tank filled over two windows of two hours."""

    def make(tank=toys.Tank, callers=None):
        run = make_chain(tank)
        layout = run.participants[1].layouts["level"]
        windows = [Interval(toys.at(0), toys.at(2)), Interval(toys.at(2), toys.at(4))]
        return CoupledModel(
            run, toys.Scaled(layout), toys.Looks(layout, SEES, OFFSET), windows, callers or {}
        )

    return make


def x_of(*values):
    return torch.tensor(values, dtype=torch.float64)


def caller(toys, surrogate):
    return {"tank": StepCaller("tank", Part("tank", toys.Tank()), Part("ten", surrogate))}


def test_observations_are_simulated_from_the_start_of_each_window(model):
    # two hours of x f at half a metre a kilogram: level = x f; seen are cell 0 and the mean of 1 and 2
    both = [model()(x_of(1, 1, 2, 9), window).tolist() for window in model().windows]
    assert both == [[101.0, 204.0], [101.0, 204.0]]


def test_the_jacobian_is_made_of_the_tape(model):
    made = model()
    K = made.linearize(made.control.prior, made.windows[1])
    assert K.forward(torch.eye(4, dtype=torch.float64)).T.tolist() == [[1, 0, 0, 0], [0, 1, 1.5, 0]]
    assert dot_test(K) <= 1e-15
    assert made.calls.of("tank", "reference").columns == 6  # four, and the two of the dot test


def test_a_jacobian_that_is_not_linear_is_that_at_x(model, toys):
    made, x, h = model(toys.Leaky), x_of(0.3, 0.2, 0.1, 0.4), 1e-6
    window, along = made.windows[0], x_of(1, -1, 0.5, 0)
    difference = (made(x + h * along, window) - made(x - h * along, window)) / (2 * h)
    assert torch.allclose(made.linearize(x, window).forward(along), difference, rtol=1e-8)


def test_a_surrogate_answers_by_superposition(model, toys):
    made = model(callers=caller(toys, TenTimes()))
    window = made.windows[0]
    assert made(x_of(1, 1, 2, 9), window).tolist() == [110.0, 240.0]
    K = made.linearize(made.control.prior, window)
    assert K.forward(torch.eye(4, dtype=torch.float64)).T.tolist() == [[10, 0, 0, 0], [0, 10, 15, 0]]


def test_a_surrogate_is_asked_once_for_a_window(model, toys):
    surrogate = TenTimes()
    made = model(callers=caller(toys, surrogate))
    for window in made.windows:
        made(made.control.prior, window)
        made.linearize(made.control.prior, window)
        made.error(made.control.prior, window)
    assert surrogate.asked == 2


def test_a_surrogate_of_a_component_that_is_not_linear_is_not_asked(model, toys):
    surrogate = TenTimes()
    made = model(toys.Leaky, caller(toys, surrogate))
    made.linearize(made.control.prior, made.windows[0])
    assert surrogate.asked == 0


def test_errors_go_through_the_squares_of_what_is_seen(model, toys):
    # flux 1 2 3 4, error a tenth: variances 0.01 0.04 0.09 0.16; seen 0.01 and (0.04 + 0.09) / 4
    made = model(callers=caller(toys, TenTimes(0.1)))
    found = made.error(made.control.prior, made.windows[0])
    assert found.tolist() == pytest.approx([0.01, 0.0325])


class Anchored(TenTimes):
    """The same with correlated errors, E[x xᵀ] times a hundredth, and right at the prior if `anchored`."""

    def __init__(self, anchored=False):
        super().__init__(0.1)
        self.anchored = anchored

    def tradewind_linearize(self, model, x, window):
        operator = super().tradewind_linearize(model, x, window)
        reference = model.reference()
        matrix = torch.eye(CELLS, dtype=torch.float64)

        def covariance(x, seen):
            everywhere = torch.arange(CELLS)
            return 0.01 * seen.forward(seen.forward(x.of(everywhere)).T.contiguous())

        operator.covariance, operator.anchored = covariance, self.anchored
        operator.correction = lambda x: reference.forward(x) - operator.forward(matrix @ x)
        return operator


def test_a_covariance_of_errors_counts_what_the_prior_does_not_know(model, toys):
    # flux 1 2 3 4 with a variance of one each: E[x xᵀ] = f fᵀ + diag(f²), seen by cell 0 and 1, 2 halved
    made = model(callers=caller(toys, Anchored()))
    made.control.sqrt_covariance = lambda: IdentityOperator(Replicated(CELLS))
    found = made.error(made.control.prior, made.windows[0])
    f = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    expected = 0.01 * SEES @ (torch.outer(f, f) + torch.diag(f.square())) @ SEES.T
    assert torch.allclose(found, expected, rtol=1e-12)


def test_where_the_reference_answers_for_the_prior_the_surrogate_answers_for_changes(model, toys):
    made = model(callers=caller(toys, Anchored(anchored=True)))
    exact, window = model(), made.windows[0]
    prior = made.control.prior
    assert torch.allclose(made(prior, window), exact(prior, window), rtol=1e-12)
    # one more of the flux of cell 0, 1: ten times that by the surrogate
    assert float((made(prior + x_of(1, 0, 0, 0), window) - made(prior, window))[0]) == pytest.approx(10.0)


@pytest.mark.parametrize("surrogate", [None, TenTimes()])
def test_an_error_that_is_not_known_is_none(model, toys, surrogate):
    made = model(callers=caller(toys, surrogate) if surrogate else None)
    assert made.error(made.control.prior, made.windows[0]) is None


def test_a_window_without_observations_has_an_error_of_no_length(model, toys):
    made = model(callers=caller(toys, TenTimes(0.1)))
    made.observe = toys.Looks(made.observe.layout, SEES[:0], OFFSET[:0])
    assert made.error(made.control.prior, made.windows[0]).shape == (0,)


def test_a_component_with_two_fed_imports_cannot_be_stood_in_for(make_chain, model, toys):
    class Mixer(toys.Tank):
        def describe(self):
            spec = super().describe()
            second = toys.Variable("second", "kg s-1", self.grid)
            return toys.Spec((*spec.imports, second), spec.exports, spec.state, spec.parameters, linear=True)

    source = toys.participant("source", toys.Source(), {"flux": torch.ones(1, 4, dtype=torch.float64)})
    mixer = toys.participant("tank", Mixer(), {"rate": toys.scalar(0.5)})
    fed = [toys.connect(source, "flux", mixer, name) for name in ("inflow", "second")]
    made = model(callers=caller(toys, TenTimes()))
    made.run = toys.CoupledRun(made.run.clock, [source, mixer], fed)
    with pytest.raises(SpecError, match="needs one import that is fed, found 2"):
        made(made.control.prior, made.windows[0])


# ---------------------------------------------------------------------- the run's derivative as an operator
@pytest.fixture
def mean_inflow(make_chain, toys):
    """A quarter of the level after one hour and three quarters of that after two."""
    run = make_chain(toys.Leaky)
    with run.recording() as tape:
        run.put("source.flux", toys.draw(1, 4))
        run.advance(toys.at(2))
    space = Distributed(run.participants[1].layouts["level"])
    weights = {("tank.level", toys.at(1)): 0.25, ("tank.level", toys.at(2)): 0.75}
    wanted = {event: Weighted(weight, space) for event, weight in weights.items()}
    return RunTangent(run, tape, {("source.flux", toys.at(0)): space}, wanted)


def test_weighted_derivatives_pass_the_dot_test(mean_inflow):
    assert dot_test(mean_inflow, batch=(3,)) <= 1e-14


def test_columns_beyond_a_block_are_the_same_as_alone(mean_inflow, toys):
    x = toys.draw(2 * BLOCK + 1, 4)
    whole = mean_inflow.forward(x)
    assert torch.allclose(whole, torch.stack([mean_inflow.forward(row) for row in x]), rtol=1e-14)


def test_no_columns_at_all_have_their_shape(mean_inflow):
    nothing = torch.zeros(0, 4, dtype=torch.float64)
    assert mean_inflow.forward(nothing).shape == (0, 4)
    assert mean_inflow.adjoint(nothing).shape == (0, 4)
