"""The iterative ensemble smoother: Gauss–Newton in the space of the members."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.errors import DataError
from tradewind.plugins.solvers.smoothers.ies import IES, within
from tradewind.plugins.solvers.smoothers.options import Draws, Failure, IESOptions, Linearisation
from tradewind.testing import LinearModel, SolverConformance, VectorControl
from tradewind.testing.model import days


def ies(**options) -> IES:
    return IES(IESOptions(**options))


class TestTransformConforms(SolverConformance):
    """One more member than elements is enough where draws are exact."""

    def solver(self):
        return ies(members=4, draws=Draws.EXACT)


class TestBundleConforms(SolverConformance):
    """Finite differences cost digits: of the residual, eps = 1e-4 leaves twelve."""

    mean_tolerance = 1e-9
    covariance_tolerance = 1e-9

    def solver(self):
        return ies(members=4, draws=Draws.EXACT, linearisation=Linearisation.BUNDLE)


@pytest.mark.parametrize("linearisation", Linearisation)
def test_a_linear_problem_takes_one_step(makers, linearisation):
    problem = makers.linear(correlated=True)
    found = problem.solve(ies(members=6, draws=Draws.EXACT, linearisation=linearisation))
    mean, covariance, dofs = makers.exact(problem)
    torch.testing.assert_close(found.mean, mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.covariance, covariance, rtol=1e-9, atol=1e-9)
    assert found.dofs == pytest.approx(dofs, rel=1e-9)
    assert found.details["converged"]
    # at the prior, where the first step ends, and the members of the posterior
    assert len(found.details["iterations"]) == 3


class Square(LinearModel):
    """y = x²."""

    def __call__(self, x, window):
        return super().__call__(x, window) ** 2


def square(y, prior=1.0):
    (window,) = days(1)
    model = Square({window: torch.eye(1).double()}, {window: torch.zeros(1).double()})
    control = VectorControl(torch.tensor([prior]).double(), DiagonalCovariance(torch.ones(1).double()))
    seen = {
        window: Observations(torch.tensor([y]).double(), DiagonalCovariance(torch.full((1,), 0.1).double()))
    }
    return model, control, seen


def test_the_bundle_finds_the_minimum_of_a_cost_that_is_not_quadratic():
    # J = (x - 1)² + (4 - x²)²/0.1: J' = 2 (x - 1) - 40 x (4 - x²) = 0
    found = ies(
        members=2, draws=Draws.EXACT, linearisation=Linearisation.BUNDLE, tolerance=1e-9, iterations=30
    )
    result = found.solve(*square(4.0))
    x = float(result.mean)
    assert abs(2 * (x - 1) - 40 * x * (4 - x * x)) < 1e-4
    # Gauss–Newton's Hessian: 1 + (2x)²/0.1
    assert float(result.covariance) == pytest.approx(1 / (1 + 40 * x * x), rel=1e-4)
    assert result.details["converged"]


def test_the_transform_converges_as_well(makers):
    problem = makers.linear(kind=makers.kinds["cubic"])
    found = problem.solve(ies(members=30, iterations=30))
    costs = [i["minimised"] for i in found.details["iterations"][:-1]]
    assert found.details["converged"]
    assert costs == sorted(costs, reverse=True)
    assert found.cost["observations_after"] < 0.02 * found.cost["observations_before"]


class Exponential(LinearModel):
    """y = 60 exp(x)."""

    def __call__(self, x, window):
        return 60 * torch.exp(super().__call__(x, window))


def test_curvature_is_no_sensitivity_where_members_are_many():
    # 40 members of two elements leave 37 directions in which weights move nothing
    (window,) = days(1)
    model = Exponential({window: torch.eye(2).double()}, {window: torch.zeros(2).double()})
    control = VectorControl(torch.zeros(2).double(), DiagonalCovariance(torch.full((2,), 0.64).double()))
    seen = {
        window: Observations(torch.tensor([50.0, 80.0]).double(), DiagonalCovariance(torch.ones(2).double()))
    }
    found = ies(members=40).solve(model, control, seen)
    assert found.details["converged"]
    assert 1.9 < found.dofs < 2.0
    assert found.mean.tolist() == pytest.approx(torch.tensor([5 / 6, 4 / 3]).log().tolist(), abs=0.01)


def test_weights_that_move_x_are_those_of_the_anomalies():
    anomalies = torch.tensor([[1.0], [-1.0], [0.0]]).double()
    expected = torch.tensor([[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]).double()
    torch.testing.assert_close(within(anomalies), expected)


def test_a_step_that_raises_the_cost_is_halved():
    # from 0.2 the parabola's slope throws the first step far beyond 2
    model, control, seen = square(4.0, prior=0.2)
    control.covariance = DiagonalCovariance(torch.full((1,), 100.0).double())
    options = {"members": 2, "draws": Draws.EXACT, "linearisation": Linearisation.BUNDLE, "iterations": 20}
    found = ies(**options).solve(model, control, seen)
    costs = [i["minimised"] for i in found.details["iterations"][:-1]]
    assert costs == sorted(costs, reverse=True)
    assert abs(float(found.mean)) == pytest.approx(2.0, abs=0.01)
    stopped = ies(**options, halvings=0).solve(model, control, seen)
    assert "no part of the step lowers the cost" in stopped.details["notes"][0]
    assert not stopped.details["converged"]


def test_steps_that_run_out_are_noted(makers):
    found = makers.linear(kind=makers.kinds["cubic"]).solve(ies(members=10, iterations=1, tolerance=1e-8))
    assert found.details["notes"][-1] == "not converged after 1 iterations"


def test_members_add_up_to_the_mean_and_start_from_the_prior(makers):
    found = makers.linear().solve(ies(members=10, draws=Draws.RANDOM))
    torch.testing.assert_close(found.members.mean(0), found.mean)
    assert found.details["iterations"][0]["prior"] == 0.0


# ---------------------------------------------------------------------- faults
def test_a_step_into_a_failure_is_halved_and_noted(makers):
    makers.sizes = (3, 2, 4)
    problem = makers.linear(kind=makers.kinds["fragile"])
    problem.model.limit = 1e9
    problem.model.jacobians = {w: -k for w, k in problem.model.jacobians.items()}
    end = float(problem.solve(ies(members=6, draws=Draws.EXACT)).mean[0])
    # the prior's first element is 0.5: the whole step would fail, half of it does not
    problem.model.limit = 0.05 * 0.5 + 0.95 * end
    assert end > 0.6
    found = problem.solve(
        ies(members=6, draws=Draws.EXACT, linearisation=Linearisation.BUNDLE, failure=Failure.EXTRAPOLATE,
            iterations=1)
    )  # fmt: skip
    assert "the centre of the ensemble are not finite" in found.details["notes"][0]
    assert "the step is halved" in found.details["notes"][0]


def test_a_failing_member_stops_the_run_unless_told_otherwise(makers):
    makers.sizes = (3, 2, 4)
    problem = makers.linear(kind=makers.kinds["fragile"])
    problem.model.limit = 0.8
    with pytest.raises(DataError, match=r"member \d+, iteration 0,"):
        problem.solve(ies(members=20))


@pytest.mark.parametrize("wrong", [{"epsilon": 0.0}, {"iterations": 0}, {"linearisation": "some"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        IESOptions(**wrong)
