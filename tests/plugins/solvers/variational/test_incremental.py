"""4D-Var and 3D-Var: by hand, against the exact posterior, and when things go wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from pydantic import ValidationError
from scipy.optimize import minimize

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.variational.incremental import FourDVar, ThreeDVar
from tradewind.plugins.solvers.variational.interpolation import OptimalInterpolation
from tradewind.plugins.solvers.variational.options import FourDVarOptions, Minimiser, ThreeDVarOptions
from tradewind.testing import LinearModel, SolverConformance, VectorControl
from tradewind.testing.model import days

EVERY = list(Minimiser)
FIRST = days(1)[0]


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def solve(case, **options):
    return FourDVar(FourDVarOptions(**options)).solve(case.model, case.control, case.seen)


def single(k=2.0, variance=1.0, error=None):
    """One element, xA = 1 with variance 1, seen once as k x = 4."""
    errors = {} if error is None else {FIRST: tensor(error)}
    model = LinearModel({FIRST: tensor([k])}, {FIRST: tensor(0.0)}, errors)
    control = VectorControl(tensor(1.0), DiagonalCovariance(tensor(1.0)))
    return model, control, {FIRST: Observations(tensor(4.0), DiagonalCovariance(tensor(variance)))}


@dataclass
class Still(LinearModel):
    """A linear model that stands still anyway."""

    def standing_still(self):
        return self


class TestConjugateGradientsConform(SolverConformance):
    def solver(self):
        return FourDVar()


class TestGaussNewtonConforms(SolverConformance):
    def solver(self):
        return FourDVar(FourDVarOptions(minimiser="gauss-newton", reduction=1e-12))


class TestLBFGSConforms(SolverConformance):
    def solver(self):
        return FourDVar(FourDVarOptions(minimiser="lbfgs", reduction=1e-11))


class TestThreeDVarConforms(SolverConformance):
    def solver(self):
        return ThreeDVar()

    def model(self):
        model = super().model()
        return Still(model.jacobians, model.offsets)


class TestOptimalInterpolationConforms(TestThreeDVarConforms):
    def solver(self):
        return OptimalInterpolation()


# ---------------------------------------------------------------------- by hand
@pytest.mark.parametrize("minimiser", EVERY)
def test_one_element_by_hand(minimiser):
    # d = 4 - 2 = 2, increment k d / (k² + 1) = 4/5; S = 1/5, DOFS 4/5
    found = FourDVar(FourDVarOptions(minimiser=minimiser)).solve(*single())
    assert found.mean.item() == pytest.approx(1.8, rel=1e-8)
    assert found.covariance.item() == pytest.approx(0.2, rel=1e-12)
    assert found.averaging_kernel.item() == pytest.approx(0.8, rel=1e-12)
    assert found.dofs == pytest.approx(0.8, rel=1e-12)
    # before: 2²; after: 0.8² and (4 - 3.6)², all without the factor 1/2
    assert found.cost == pytest.approx(
        {"prior_before": 0.0, "observations_before": 4.0, "prior_after": 0.64, "observations_after": 0.16}
    )
    assert found.details["chi_square"] == pytest.approx(0.8)
    assert found.simulated[FIRST]["posterior"].item() == pytest.approx(3.6)


def test_the_model_s_own_error_adds_to_that_of_the_observations():
    # R = 1 + 3: increment 2 * 2 / (4 + 4)
    assert FourDVar().solve(*single(error=3.0)).mean.item() == pytest.approx(1.5, rel=1e-12)


def test_iterations_tell_costs_and_gradients():
    # ½J' = v - k d = -4 at the start; after one step of CG, exactly at the minimum
    start, step, end = FourDVar(FourDVarOptions(outer=1)).solve(*single()).details["iterations"]
    assert (start["outer"], start["inner"], start["observations"], start["gradient"]) == (1, 0, 4.0, 4.0)
    assert (step["outer"], step["inner"]) == (1, 1)
    assert (step["prior"], step["observations"]) == pytest.approx((0.64, 0.16))
    assert (end["outer"], end["inner"], end["iteration"]) == (2, 0, 2)
    assert end["reduction"] == pytest.approx(0.0, abs=1e-15)


def test_costs_within_an_inner_loop_are_those_of_the_linearization(curved):
    steps = solve(curved, outer=1, inner=3).details["iterations"]
    k, d, r = curved.stacked()
    k = (1 + 0.1 * (k @ curved.control.prior))[:, None] * k
    root = curved.control.sqrt_covariance().matrix
    for entry, vectors in zip(steps[1:4], (1, 2, 3), strict=True):
        # the minimum over the Krylov space of that size
        g = k @ root / r.sqrt()[:, None]
        hessian, right = torch.eye(6, dtype=torch.float64) + g.T @ g, g.T @ (d / r.sqrt())
        basis = [right]
        for _ in range(vectors - 1):
            basis.append(hessian @ basis[-1])
        q = torch.linalg.qr(torch.stack(basis, dim=1)).Q
        v = q @ torch.linalg.solve(q.T @ hessian @ q, q.T @ right)
        assert entry["prior"] == pytest.approx(float(v @ v), rel=1e-8)
        assert entry["observations"] == pytest.approx(float((d - k @ root @ v).square() @ (1 / r)), rel=1e-8)


# ---------------------------------------------------------------------- against other methods
def test_it_is_the_analytical_posterior_of_a_linear_model(linear):
    exact = Analytical().solve(linear.model, linear.control, linear.seen)
    found = solve(linear, reduction=1e-12)
    for name in ("mean", "covariance", "averaging_kernel"):
        torch.testing.assert_close(getattr(found, name), getattr(exact, name), rtol=1e-10, atol=1e-10)
    assert found.dofs == pytest.approx(exact.dofs, rel=1e-10)
    assert found.details["converged"]
    assert not found.details["notes"]


@pytest.mark.parametrize("minimiser", EVERY)
def test_a_curved_cost_is_minimised_as_scipy_does(curved, minimiser):
    found = solve(curved, minimiser=minimiser, outer=30 if minimiser is Minimiser.CG else None)
    windows = curved.model.windows

    def cost(x):
        x = torch.from_numpy(x)
        gap = x - curved.control.prior
        total = gap @ curved.control.covariance.solve(gap)
        for w in windows:
            d = curved.seen[w].y - curved.model(x, w)
            total = total + d @ curved.seen[w].covariance.solve(d)
        return float(total)

    other = minimize(cost, curved.control.prior.numpy(), method="Nelder-Mead", options={
        "xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000, "adaptive": True})  # fmt: skip
    assert found.cost["prior_after"] + found.cost["observations_after"] == pytest.approx(other.fun, rel=1e-9)
    assert abs(found.mean.numpy() - other.x).max() < 1e-4
    assert found.details["converged"]


def test_outer_loops_matter_where_the_model_is_not_linear(curved):
    costs = [sum(list(solve(curved, outer=k).cost.values())[2:]) for k in (1, 2, 4)]
    assert costs[0] > costs[1] > costs[2]


def test_three_d_var_does_not_run_the_model(curved):
    found = ThreeDVar().solve(curved.model, curved.control, curved.seen)
    still = FourDVar().solve(curved.model.standing_still(), curved.control, curved.seen)
    assert torch.equal(found.mean, still.mean)
    assert not ThreeDVar.needs_gradient
    assert FourDVar.needs_gradient


def test_three_d_var_needs_a_model_that_can_stand_still(linear):
    with pytest.raises(SpecError, match=r"LinearModel cannot stand still.*4dvar"):
        ThreeDVar(ThreeDVarOptions()).solve(linear.model, linear.control, linear.seen)


# ---------------------------------------------------------------------- when things go wrong
def test_a_loop_that_is_too_short_is_told(linear):
    found = solve(linear, outer=1, inner=2)
    assert not found.details["converged"]
    first, second = found.details["notes"]
    assert first.startswith("outer loop 1: ended after 2 iterations")
    assert second.startswith("not converged: the gradient was reduced to")


@pytest.mark.parametrize("minimiser", EVERY)
def test_steps_are_shortened_where_the_model_blows_up(case, curved_kind, minimiser):
    # the first step goes beyond the edge, the minimum does not
    problem = case(curved_kind, n=1, sizes=(1,), bend=0.5, edge=1.4)
    window = problem.model.windows[0]
    problem.model.jacobians[window] = tensor([1.0])
    problem.model.offsets[window] = tensor(0.0)
    problem.control.prior = tensor(0.0)
    problem.seen[window] = Observations(tensor(1.6), DiagonalCovariance(tensor(0.01)))
    found = solve(problem, minimiser=minimiser, outer=20)
    # 1 + x = x + x²/2 at 1.05: a root near there, found although x = 1.58 is tried first
    assert found.details["converged"]
    assert 1.0 < found.mean.item() < 1.1
    if minimiser is not Minimiser.LBFGS:
        assert "the cost was not finite after a step, of which 0.5 was taken" in found.details["notes"]


def test_an_adjoint_that_is_wrong_is_told_and_its_step_not_taken(linear):
    class Wrong(LinearModel):
        def linearize(self, x, window):
            return MatrixOperator(-self.jacobians[window])

    found = FourDVar().solve(Wrong(linear.model.jacobians, linear.model.offsets), linear.control, linear.seen)
    assert torch.equal(found.mean, linear.control.prior)
    assert "no part of it lowers it: it was not taken" in found.details["notes"][0]
    assert not found.details["converged"]


def test_a_first_gradient_that_is_not_finite_is_refused(linear):
    class Broken(LinearModel):
        def linearize(self, x, window):
            return MatrixOperator(self.jacobians[window] * torch.nan)

    with pytest.raises(DataError, match=r"gradient of the cost at the prior is nan.*tradewind verify"):
        FourDVar().solve(Broken(linear.model.jacobians, linear.model.offsets), linear.control, linear.seen)


def test_a_later_gradient_that_is_not_finite_leaves_the_last_sound_point(linear):
    class Breaks(LinearModel):
        def linearize(self, x, window):
            away = not torch.equal(x, linear.control.prior)
            return MatrixOperator(self.jacobians[window] * (torch.nan if away else 1.0))

    found = FourDVar().solve(
        Breaks(linear.model.jacobians, linear.model.offsets), linear.control, linear.seen
    )
    assert torch.equal(found.mean, linear.control.prior)
    assert "the gradient is not finite" in found.details["notes"][0]


def test_a_prior_at_which_the_model_blows_up_is_refused_by_window(case, curved_kind):
    problem = case(curved_kind, edge=1e-3)
    with pytest.raises(DataError, match=r"window 2000-01-01.*simulated observation \[0\] is nan"):
        solve(problem)


def test_a_derivative_of_the_wrong_shape_is_refused(linear):
    class Short(LinearModel):
        def linearize(self, x, window):
            return MatrixOperator(self.jacobians[window][:-1])

    with pytest.raises(SpecError, match="K gives 4 numbers for 5 observations"):
        FourDVar().solve(Short(linear.model.jacobians, linear.model.offsets), linear.control, linear.seen)


def test_a_prior_that_fits_perfectly_stays(linear):
    seen = {
        w: Observations(linear.model(linear.control.prior, w), s.covariance) for w, s in linear.seen.items()
    }
    found = FourDVar().solve(linear.model, linear.control, seen)
    assert torch.equal(found.mean, linear.control.prior)
    assert found.details["converged"]
    assert found.cost["observations_after"] == 0.0


def test_windows_without_observations_change_no_bit(linear):
    empty = days(3)[2]
    jacobians = {**linear.model.jacobians, empty: torch.zeros(0, 6, dtype=torch.float64)}
    offsets = {**linear.model.offsets, empty: torch.zeros(0, dtype=torch.float64)}
    found = FourDVar().solve(LinearModel(jacobians, offsets), linear.control, linear.seen)
    assert torch.equal(found.mean, solve(linear).mean)
    assert found.simulated[empty]["posterior"].shape == (0,)


@pytest.mark.parametrize(
    "options", [{"reduction": 1.0}, {"reduction": 0.0}, {"outer": 0}, {"inner": 0}, {"minimiser": "newton"}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        FourDVarOptions(**options)


def test_outer_loops_have_defaults_by_minimiser():
    assert [FourDVarOptions(minimiser=m).loops for m in EVERY] == [3, 20, 1]
    assert FourDVarOptions(outer=7).loops == 7
