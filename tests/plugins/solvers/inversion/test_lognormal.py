"""Lognormal inversions: by hand, and against optimisers of the same cost."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.errors import DataError
from tradewind.plugins.solvers.inversion import lognormal as descending
from tradewind.testing.model import days

(WINDOW,) = days(1)
TIGHT = {"convergence": 1e-12}


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def one(inversions, y, k=1.0, so=1.0):
    """Return the model y = k exp(x), and what it is inverted from."""
    model = inversions.Model({WINDOW: tensor([k])}, {WINDOW: tensor(0.0)}, lognormal=torch.tensor([True]))
    return model, {WINDOW: Observations(tensor(y), DiagonalCovariance(tensor(so**2)))}


def cost_of(model, control, seen, gamma=1.0):
    """Return J as a function of x, straight from the model."""
    inverse = torch.linalg.inv(control.covariance.apply(torch.eye(len(control.prior), dtype=torch.float64)))

    def cost(x):
        x = torch.as_tensor(x)
        moved = x - control.prior
        total = moved @ inverse @ moved
        for window, observed in seen.items():
            if len(observed):
                left = observed.y - model(x, window)
                total = total + gamma * (left.square() / observed.covariance.variance).sum()
        return total

    return cost


def best(model, control, seen, gamma=1.0):
    """Return where another optimiser finds the least cost, from several begins."""
    cost = cost_of(model, control, seen, gamma)

    def with_slope(x):
        z = torch.tensor(x, requires_grad=True)
        value = cost(z)
        value.backward()
        return value.item(), z.grad.numpy()

    found = minimize(
        with_slope, control.prior.numpy(), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000}
    )
    return found.x, found.fun


def test_one_element_by_hand(inversions):
    # J = x²/s² + (y - k e^x)²; dJ/dx = 0: x/s² = (y - k e^x) k e^x
    control = inversions.lognormal(1, 0.5)
    model, seen = one(inversions, 3.0, 2.0)
    root = brentq(lambda x: x / 0.25 - (3.0 - 2.0 * math.exp(x)) * 2.0 * math.exp(x), 0.0, 1.0, xtol=1e-15)
    found = inversions.solve(model, control, seen, **TIGHT)
    assert found.mean.item() == pytest.approx(root, rel=1e-12)
    # S = 1 / (1/s² + (k e^x)²), A = 1 - S/s²
    expected = 1.0 / (4.0 + (2.0 * math.exp(root)) ** 2)
    assert found.covariance.item() == pytest.approx(expected, rel=1e-10)
    assert found.dofs == pytest.approx(1.0 - 4.0 * expected, rel=1e-10)


def test_an_observation_that_agrees_changes_nothing(inversions):
    model, seen = one(inversions, 1.0)
    assert inversions.solve(model, inversions.lognormal(1), seen).mean.item() == pytest.approx(0.0, abs=1e-12)


def test_a_negative_observation_still_leaves_a_positive_amplitude(inversions):
    model, seen = one(inversions, -5.0, so=0.1)
    found = inversions.solve(model, inversions.lognormal(1, 2.0), seen, **TIGHT)
    assert 0.0 < math.exp(found.mean.item()) < 0.1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_it_is_where_an_optimiser_finds_the_least_cost(inversions, seed, sigma):
    control = inversions.lognormal(6, sigma)
    model, seen = inversions.problem(control, (5, 0, 7), seed=seed)
    found = inversions.solve(model, control, seen, **TIGHT)
    x, least = best(model, control, seen)
    assert float(cost_of(model, control, seen)(found.mean)) <= least * (1 + 1e-10)
    np.testing.assert_allclose(found.mean, x, atol=1e-6)


def test_the_slope_of_the_cost_vanishes_there(inversions):
    control = inversions.lognormal(6, 0.7)
    model, seen = inversions.problem(control, (9, 7), seed=3)
    x = inversions.solve(model, control, seen, **TIGHT).mean.clone().requires_grad_()
    cost_of(model, control, seen)(x).backward()
    assert x.grad.abs().max() < 1e-6


@pytest.mark.parametrize("gamma", [0.1, 0.7])
def test_the_weight_counts(inversions, gamma):
    control = inversions.lognormal(4, 0.6)
    model, seen = inversions.problem(control, (8,), seed=8)
    found = inversions.solve(model, control, seen, gamma=gamma, **TIGHT)
    np.testing.assert_allclose(found.mean, best(model, control, seen, gamma)[0], atol=1e-6)


def test_what_is_added_stays_normal_beside_it(inversions):
    control = inversions.both(inversions.lognormal(4, 0.6), inversions.added(2, 3.0))
    model, seen = inversions.problem(control, (9, 4), seed=5)
    found = inversions.solve(model, control, seen, **TIGHT)
    np.testing.assert_allclose(found.mean, best(model, control, seen)[0], atol=1e-6)


def test_without_lognormal_elements_nothing_is_iterated(inversions):
    control = inversions.added(3)
    model, seen = inversions.problem(control, (5,))
    assert "iterations" not in inversions.solve(model, control, seen).details


def test_a_small_prior_error_makes_it_normal(inversions):
    # exp(x) is 1 + x there: the same as factors with that error
    small = inversions.lognormal(3, 1e-5), inversions.scaled(3, 1e-5)
    model, seen = inversions.problem(small[0], (6,), seed=2)
    straight = inversions.Model(model.jacobians, model.offsets, lognormal=torch.zeros(3, dtype=torch.bool))
    log = inversions.solve(model, small[0], seen, **TIGHT).mean
    factor = inversions.solve(straight, small[1], seen).mean - 1.0
    torch.testing.assert_close(log, factor, rtol=1e-4, atol=1e-10)


# ---------------------------------------------------------------------- the prior as a mean
def test_the_median_of_a_mean_is_lower(inversions):
    # mean of p exp(x) with x ~ N(-s²/2, s²) is p
    control = mean_control(inversions, 0.8)
    assert control.prior.item() == pytest.approx(-0.32)
    draws = control.prior.item() + 0.8 * np.random.default_rng(0).standard_normal(400_000)
    assert np.exp(draws).mean() == pytest.approx(1.0, abs=5e-3)


def mean_control(inversions, sigma, n=1):
    from tradewind.couplers.assimilation.control import Lognormal

    return inversions.part("inventory.flux", n, Lognormal(sigma), sigma)


def test_products_about_another_median_serve_as_well(inversions):
    # K is taken at exp(-s²/2), and kept with respect to amplitudes
    control = mean_control(inversions, 0.7, 5)
    model, seen = inversions.problem(control, (6, 5), seed=6)
    found = inversions.solve(model, control, seen, **TIGHT)
    np.testing.assert_allclose(found.mean, best(model, control, seen)[0], atol=1e-6)
    assert found.cost["prior_before"] == 0.0


# ---------------------------------------------------------------------- its course
def test_the_course_begins_at_the_prior_and_never_rises(inversions):
    control = inversions.lognormal(4, 1.0)
    model, seen = inversions.problem(control, (8,), seed=1)
    course = inversions.solve(model, control, seen).details["iterations"]
    costs = [entry["prior"] + entry["observations"] for entry in course]
    assert course[0]["prior"] == 0.0
    assert costs[0] == pytest.approx(float(cost_of(model, control, seen)(control.prior)), rel=1e-10)
    assert all(b <= a * (1 + 1e-12) for a, b in pairwise(costs))


def test_a_published_stop_is_near_the_minimum(inversions):
    control = inversions.lognormal(5, 0.5)
    model, seen = inversions.problem(control, (9,), seed=7)
    rough = inversions.solve(model, control, seen, convergence=5e-3).mean
    exact = inversions.solve(model, control, seen, **TIGHT).mean
    assert (torch.exp(rough - exact) - 1).abs().max() < 5e-3


def test_an_end_that_is_not_reached_is_an_error(inversions, monkeypatch):
    monkeypatch.setattr(descending, "STEPS", 2)
    control = inversions.lognormal(3, 1.0)
    model, seen = inversions.problem(control, (6,))
    with pytest.raises(DataError, match="no minimum after 2 steps"):
        inversions.solve(model, control, seen)


def test_the_weight_is_sought(inversions):
    control = inversions.lognormal(3, 0.1)
    model, seen = inversions.problem(control, (8,), scale=10.0)
    found = inversions.solve(model, control, seen, gamma="auto")
    assert 0.0 < found.details["gamma"] < 1.0
    assert found.details["prior_cost_per_element"] == pytest.approx(1.0, rel=1e-3)


def test_runs_of_the_model_itself_serve_as_well(inversions):
    # a run at x + 1 adds (e - 1) of an amplitude, not its derivative
    control = mean_control(inversions, 0.7, 4)
    model, seen = inversions.problem(control, (6, 5), seed=6)
    found = inversions.solve(model, control, seen, jacobian="model-runs", **TIGHT)
    expected = inversions.solve(model, control, seen, **TIGHT)
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.covariance, expected.covariance, rtol=1e-9, atol=1e-9)
