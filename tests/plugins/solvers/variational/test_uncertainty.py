"""The posterior covariance: exact, of low rank, or none."""

from __future__ import annotations

import pytest
import torch

from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.variational.incremental import FourDVar
from tradewind.plugins.solvers.variational.options import FourDVarOptions


def solve(case, **options):
    return FourDVar(FourDVarOptions(**options)).solve(case.model, case.control, case.seen)


def exact(case):
    return Analytical().solve(case.model, case.control, case.seen)


def test_exact_up_to_the_limit_by_lanczos_vectors_beyond(linear):
    assert solve(linear, limit=6).details["covariance"] == "exact"
    assert solve(linear, limit=5).details["covariance"].startswith("low rank: 6 Lanczos vectors")


def test_it_is_that_at_the_minimum_where_the_model_is_not_linear(curved):
    found = solve(curved, outer=20)
    k, _, r = curved.stacked()
    k = (1 + 0.1 * (k @ found.mean))[:, None] * k
    sa = curved.control.covariance.matrix
    covariance = torch.linalg.inv(k.T @ (k / r[:, None]) + torch.linalg.inv(sa))
    torch.testing.assert_close(found.covariance, covariance, rtol=1e-9, atol=1e-11)
    kernel = torch.eye(6, dtype=torch.float64) - covariance @ torch.linalg.inv(sa)
    torch.testing.assert_close(found.averaging_kernel, kernel, rtol=1e-8, atol=1e-9)


def test_all_lanczos_vectors_give_the_exact_covariance(linear):
    found, expected = solve(linear, covariance="lanczos"), exact(linear)
    torch.testing.assert_close(found.covariance, expected.covariance, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(found.averaging_kernel, expected.averaging_kernel, rtol=1e-7, atol=1e-9)
    assert found.dofs == pytest.approx(expected.dofs, rel=1e-9)


def test_few_lanczos_vectors_leave_more_of_the_prior(linear):
    expected = exact(linear)
    found = [solve(linear, covariance="lanczos", outer=1, inner=k) for k in (1, 3, 5)]
    dofs = [f.dofs for f in found]
    assert dofs[0] < dofs[1] < dofs[2] <= expected.dofs * (1 + 1e-12)
    assert found[1].details["covariance"] == "low rank: 3 Lanczos vectors"
    assert len(found[1].details["eigenvalues"]) == 3


def test_beyond_the_limit_no_matrices_are_made(linear):
    found = solve(linear, limit=5)
    assert found.covariance is None
    assert found.averaging_kernel is None
    assert found.dofs == pytest.approx(exact(linear).dofs, rel=1e-9)


@pytest.mark.parametrize("options", [{"covariance": "none"}, {"covariance": "lanczos", "minimiser": "lbfgs"}])
def test_none_where_none_is_wanted_or_can_be_made(linear, options):
    found = solve(linear, **options)
    assert (found.covariance, found.averaging_kernel, found.dofs) == (None, None, None)
    assert found.details["covariance"] == "none"
