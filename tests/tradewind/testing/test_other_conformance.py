"""The kits of operators, solvers and surrogates pass what is right and catch what is not."""

from __future__ import annotations

import unittest
from dataclasses import replace

import pytest
import torch

from tradewind.couplers.coupling.fields import Spec, Variable
from tradewind.couplers.operators import DiagonalOperator, LinearOperator, MatrixOperator, Replicated
from tradewind.errors import DataError
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.surrogates.surrogate import Surrogate
from tradewind.testing import OperatorConformance, SolverConformance, SurrogateConformance

MATRIX = torch.randn(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class TestMatrix(OperatorConformance):
    def operator(self):
        return MatrixOperator(MATRIX)


class TestComposition(OperatorConformance):
    def operator(self):
        return MatrixOperator(MATRIX) @ DiagonalOperator(torch.arange(1.0, 6).double())


class WrongAdjoint(MatrixOperator):
    def adjoint(self, y):
        return 1.001 * super().adjoint(y)


class Affine(MatrixOperator):
    def forward(self, x):
        return super().forward(x) + 1.0


class Careless(LinearOperator):
    """Checks nothing, and shortens what it does not like."""

    domain = range = Replicated(3)

    def forward(self, x):
        return x[..., :3].double()

    def adjoint(self, y):
        return y[..., :3].double()


class Overwrites(Careless):
    def forward(self, x):
        return x.mul_(2.0)


class Fills(Careless):
    def forward(self, x):
        return x.nan_to_num()


def operator_kit(operator):
    class Kit(OperatorConformance):
        def operator(self):
            return operator

    return Kit()


@pytest.mark.parametrize(
    ("operator", "test", "message"),
    [
        (WrongAdjoint(MATRIX), "adjoint_is_exact", "dot test"),
        (Affine(MATRIX), "is_linear", "superposition"),
        (Affine(MATRIX), "nothing_gives_nothing", "A 0 is not 0"),
        (Careless(), "refuses_what_is_not_of_its_spaces", "one too long is accepted"),
        (Overwrites(), "same_bits_twice", "changes what it was given"),
        (Fills(), "a_nan_shows", "vanished"),
    ],
)
def test_a_broken_operator_is_caught(operator, test, message):
    with pytest.raises(AssertionError, match=message):
        getattr(operator_kit(operator), f"test_{test}")()


# ---------------------------------------------------------------------- solvers
class Ignores(Analytical):
    """Gives back the prior."""

    def solve(self, model, control, observations):
        return replace(super().solve(model, control, observations), mean=control.prior)


class Eager(Analytical):
    """Halves the observations that it was given, in place."""

    def solve(self, model, control, observations):
        found = super().solve(model, control, observations)
        for seen in observations.values():
            seen.y.mul_(0.5)
        return found


class Lenient(Analytical):
    """Solves whatever it is given."""

    def solve(self, model, control, observations):
        try:
            return super().solve(model, control, observations)
        except DataError:
            return None


class Overconfident(Analytical):
    """Claims half the covariance."""

    def solve(self, model, control, observations):
        found = super().solve(model, control, observations)
        return replace(found, covariance=found.covariance / 2)


def solver_kit(solver):
    class Kit(SolverConformance):
        def solver(self):
            return solver()

    return Kit()


@pytest.mark.parametrize(
    ("solver", "test", "message"),
    [
        (Ignores, "mean_is_exact", "posterior mean"),
        (Overconfident, "covariance_is_exact", "posterior covariance"),
        (Overconfident, "averaging_kernel_belongs_to_the_covariance", "averaging kernel"),
        (Eager, "same_bits_twice_and_nothing_changed", "solve changes what it was given"),
        (Lenient, "refuses_to_solve_without_observations", "without observations is accepted"),
        (Lenient, "refuses_nan", "NaN in an observation is accepted"),
    ],
)
def test_a_broken_solver_is_caught(solver, test, message):
    with pytest.raises(AssertionError, match=message):
        getattr(solver_kit(solver), f"test_{test}")()


def test_a_solver_without_a_covariance_is_not_asked_for_one():
    class Bare(Analytical):
        def solve(self, model, control, observations):
            return replace(super().solve(model, control, observations), covariance=None)

    with pytest.raises(unittest.SkipTest, match="no covariance"):
        solver_kit(Bare).test_covariance_is_exact()


# ---------------------------------------------------------------------- surrogates
class Square(Surrogate[torch.Tensor]):
    """Stands in for x², known between -1 and 1."""

    spec = Spec(imports=(Variable("x", "1"),), exports=(Variable("y", "1"),))

    def forward(self, x):
        return x.square()

    def valid(self, x):
        return (x.abs() <= 1).all(dim=1)

    def error(self, x):
        return torch.full_like(x, 0.01)


class TestSquare(SurrogateConformance):
    def surrogate(self):
        return Square()

    def asked(self):
        return torch.linspace(-1, 1, 6).double().reshape(3, 2)

    def outside(self):
        return torch.full((2, 2), 3.0, dtype=torch.float64)


class Sure(Square):
    def valid(self, x):
        return torch.ones(len(x), dtype=torch.bool)


class Perfect(Square):
    def error(self, x):
        return torch.zeros_like(x)


class Negative(Square):
    def error(self, x):
        return -torch.ones_like(x)


class Random(Square):
    def forward(self, x):
        return torch.nn.functional.dropout(x, 0.5) + torch.rand(())


class Doubtful(Square):
    def valid(self, x):
        return (x.abs() < 1).all(dim=1)


@pytest.mark.parametrize(
    ("surrogate", "test", "message"),
    [
        (Sure, "knows_that_it_is_outside", "outside the domain are called valid"),
        (Sure, "a_nan_is_outside", "NaN are called valid"),
        (Perfect, "says_how_far_it_may_be_wrong", "perfect"),
        (Negative, "says_how_far_it_may_be_wrong", "negative"),
        (Random, "answers_the_same_twice", "asked again"),
        (Doubtful, "knows_that_it_is_inside", "called invalid"),
    ],
)
def test_a_broken_surrogate_is_caught(surrogate, test, message):
    class Kit(TestSquare):
        def surrogate(self):
            return surrogate()

    with pytest.raises(AssertionError, match=message):
        getattr(Kit(), f"test_{test}")()
