"""Methods agree where they have to, and the comparison would notice if they did not."""

from __future__ import annotations

import torch

from tradewind.bench.assimilation.equivalences import apart, exact_errors, linear_gaussian


def test_exact_methods_agree_to_1e_10():
    found = exact_errors()
    assert set(found) == {
        "analytical", "4dvar_cg", "4dvar_gauss_newton", "4dvar_lbfgs", "4dvar_lanczos", "envar", "forms",
    }  # fmt: skip
    assert max(found.values()) < 1e-10


def test_a_small_difference_is_seen():
    mean, covariance = linear_gaussian().exact
    assert apart((mean + 1e-6 * mean.abs().max(), covariance), (mean, covariance)) > 0.9e-6
    assert apart((mean, 1.001 * covariance), (mean, covariance)) > 0.9e-3
    assert apart((mean, None), (mean, covariance)) == 0.0


def test_the_problem_is_not_trivial():
    problem = linear_gaussian()
    mean, covariance = problem.exact
    k, d, r = problem.stacked
    assert k.shape == (17, 12)
    assert float((mean - problem.control.prior).norm()) > 1.0
    # the normal equations once more, in the space of the observations
    sa = problem.control.covariance.matrix
    gain = sa @ k.T @ torch.linalg.inv(k @ sa @ k.T + torch.diag(r))
    torch.testing.assert_close(mean, problem.control.prior + gain @ d, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(covariance, sa - gain @ k @ sa, rtol=1e-9, atol=1e-10)
