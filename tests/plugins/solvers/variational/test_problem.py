"""When K is made as a matrix, and when it is applied."""

from __future__ import annotations

import pytest
import torch

from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.plugins.solvers.variational.incremental import FourDVar
from tradewind.plugins.solvers.variational.options import FourDVarOptions
from tradewind.testing import LinearModel


class Counted(LinearOperator):
    """A matrix that counts the vectors it was applied to."""

    def __init__(self, matrix, counts):
        self.matrix_, self.counts = matrix, counts
        self.domain, self.range = Replicated(matrix.shape[1]), Replicated(matrix.shape[0])

    def forward(self, x):
        self.counts["forward"] += x.shape[:-1].numel()
        return x @ self.matrix_.T

    def adjoint(self, y):
        self.counts["adjoint"] += y.shape[:-1].numel()
        return y @ self.matrix_


def solved(case, **options):
    counts = {"forward": 0, "adjoint": 0}

    class Counting(LinearModel):
        def linearize(self, x, window):
            return Counted(self.jacobians[window], counts)

    model = Counting(case.model.jacobians, case.model.offsets)
    found = FourDVar(FourDVarOptions(outer=1, covariance="none", **options))
    return found.solve(model, case.control, case.seen), counts


def test_a_matrix_is_made_where_an_inner_loop_would_apply_k_as_often(linear):
    # windows of 5 and 4 observations: 9 rows, and the gradient at the end
    found, counts = solved(linear, inner=3)
    assert counts == {"forward": 0, "adjoint": 9 + 2}
    # one product, and the gradient at both ends
    applied, counts = solved(linear, inner=1)
    assert counts == {"forward": 2, "adjoint": 2 + 2 * 2}
    assert applied.details["iterations"][1] == pytest.approx(found.details["iterations"][1], rel=1e-12)


def test_quasi_newton_steps_take_adjoints_only(linear):
    _, counts = solved(linear, minimiser="lbfgs", inner=4)
    assert counts["forward"] == 0


def test_the_last_derivative_is_made_once(linear):
    counts = {"forward": 0, "adjoint": 0}

    class Counting(LinearModel):
        def linearize(self, x, window):
            return Counted(self.jacobians[window], counts)

    model = Counting(linear.model.jacobians, linear.model.offsets)
    solver = FourDVar(FourDVarOptions(outer=1, inner=10))
    found = solver.solve(model, linear.control, linear.seen)
    # once for the inner loop, once for gradient and covariance at the end
    assert counts == {"forward": 0, "adjoint": 2 * 9}
    assert torch.isfinite(found.covariance).all()
