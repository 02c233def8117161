"""The posterior of a linear model with normal errors, in both forms and by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.plugins.solvers.inversion.normal import gain_form, information_form, regularisation


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def equations(k, noise, d):
    weighted = noise.solve(k.T.contiguous())
    return weighted @ k, weighted @ d


def test_one_observation_of_one_element():
    # sa² = 1/4, so² = 1, k = 2, d = 3: S = 1/(4 + 4) = 1/8, increment = 1/8 * 2 * 3 = 3/4
    # A = 1 - (1/8) * 4 = 1/2, J_A = (3/4)² * 4 = 9/4
    found = information_form(tensor([4.0]), tensor(6.0), DiagonalCovariance(tensor(0.25)))
    assert found.covariance.item() == pytest.approx(1 / 8, rel=1e-15)
    assert found.increment.item() == pytest.approx(3 / 4, rel=1e-15)
    assert found.averaging_kernel.item() == pytest.approx(1 / 2, rel=1e-15)
    assert found.prior_cost == pytest.approx(9 / 4, rel=1e-15)


def test_two_elements_of_which_only_the_sum_is_seen():
    # Sa = I, K = (1 1), R = 1, d = 3: KSaKᵀ + R = 3, so G = (1/3 1/3)ᵀ, increment (1 1), A = 1/3 everywhere
    found = gain_form(tensor([1.0, 1.0]), DiagonalCovariance(tensor(1.0)), tensor(3.0), unit(2))
    assert found.increment.tolist() == pytest.approx([1.0, 1.0], rel=1e-15)
    assert found.averaging_kernel.flatten().tolist() == pytest.approx([1 / 3] * 4, rel=1e-15)
    assert found.covariance.flatten().tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3, 2 / 3], rel=1e-15)
    assert found.prior_cost == pytest.approx(2.0, rel=1e-15)


def test_a_correlated_prior_moves_what_is_not_seen():
    # Sa = (1 1/2; 1/2 1), K = (1 0), R = 1, d = 2: G = (1 1/2)ᵀ / 2, increment (1 1/2)
    prior = DenseCovariance(tensor([1.0, 0.5], [0.5, 1.0]))
    found = information_form(tensor([1.0, 0.0], [0.0, 0.0]), tensor(2.0, 0.0), prior)
    assert found.increment.tolist() == pytest.approx([1.0, 0.5], rel=1e-14)
    # S = Sa - G K Sa = (1 1/2; 1/2 1) - (1 1/2)ᵀ(1 1/2)/2
    assert found.covariance.flatten().tolist() == pytest.approx([0.5, 0.25, 0.25, 0.875], rel=1e-14)


def unit(n: int) -> DiagonalCovariance:
    return DiagonalCovariance(torch.ones(n, dtype=torch.float64))


def problem(m: int, n: int, seed: int):
    g = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    a, b = draw(n, n), draw(m, m)
    prior = DenseCovariance(a @ a.T / n + torch.eye(n, dtype=torch.float64))
    noise = DenseCovariance(b @ b.T / m + torch.eye(m, dtype=torch.float64))
    return draw(m, n), noise, draw(m), prior


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 999), st.sampled_from([0.1, 1.0, 3.0]))
def test_both_forms_agree(m, n, seed, gamma):
    k, noise, d, prior = problem(m, n, seed)
    a = information_form(*equations(k, noise, d), prior, gamma)
    b = gain_form(k, noise, d, prior, gamma)
    for name in ("increment", "covariance", "averaging_kernel"):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=1e-10, atol=1e-10)
    assert a.prior_cost == pytest.approx(b.prior_cost, rel=1e-9, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 999))
def test_the_increment_is_where_the_gradient_of_the_cost_vanishes(m, n, seed):
    k, noise, d, prior = problem(m, n, seed)
    found = information_form(*equations(k, noise, d), prior)
    gradient = prior.solve(found.increment) - k.T @ noise.solve(d - k @ found.increment)
    assert gradient.abs().max() <= 1e-9 * (1 + (k.T @ noise.solve(d)).abs().max())


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 999))
def test_observations_only_reduce_the_uncertainty(m, n, seed):
    k, noise, d, prior = problem(m, n, seed)
    found = information_form(*equations(k, noise, d), prior)
    assert torch.linalg.eigvalsh(prior.matrix - found.covariance).min() >= -1e-10
    assert 0 <= found.averaging_kernel.trace() <= min(m, n) + 1e-9


def test_a_prior_that_is_nearly_certain_costs_no_digits():
    # Sa⁻¹ would span 1e16; the certain element stays, the other is 1/(1 + 1) * 2 = 1
    prior = DiagonalCovariance(tensor(1e-16, 1.0))
    found = information_form(torch.eye(2, dtype=torch.float64), tensor(2.0, 2.0), prior)
    assert found.increment.tolist() == pytest.approx([2e-16, 1.0], rel=1e-14)


def test_more_weight_brings_the_control_nearer_to_the_observations():
    # sa = so = k = 1, d = 1: increment g / (1 + g)
    found = [
        information_form(tensor([1.0]), tensor(1.0), unit(1), g).increment.item() for g in (0.5, 1.0, 3.0)
    ]
    assert found == pytest.approx([1 / 3, 1 / 2, 3 / 4], rel=1e-15)


def test_the_weight_is_found_for_which_the_increments_are_as_large_as_expected():
    # sa = k = so = 1, d = 3: J_A = (3g / (1 + g))² = 1 at g = 1/2
    assert regularisation(tensor([1.0]), tensor(3.0), unit(1)) == pytest.approx(0.5, rel=1e-12)


def test_observations_are_never_trusted_more_than_they_ask_for():
    # d = 1: J_A(1) = 1/4 <= 1
    assert regularisation(tensor([1.0]), tensor(1.0), unit(1)) == 1.0


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 10), st.integers(0, 999), st.floats(3.0, 30.0))
def test_with_that_weight_the_prior_cost_per_element_is_one(m, n, seed, scale):
    k, noise, d, prior = problem(m, n, seed)
    hessian, gradient = equations(k, noise, scale * d)
    gamma = regularisation(hessian, gradient, prior)
    cost = information_form(hessian, gradient, prior, gamma).prior_cost / n
    assert cost == pytest.approx(1.0, rel=1e-8) if gamma < 1 else cost <= 1.0
