"""L-BFGS: its directions and its line search."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from tradewind.plugins.solvers.variational.problem import Cost
from tradewind.plugins.solvers.variational.quasi_newton import Memory, first_length, line_search


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def bfgs(pairs, scale):
    """Return the dense inverse Hessian of BFGS (Nocedal and Wright, 2006, eq. 6.17)."""
    n = len(pairs[0][0])
    h = scale * torch.eye(n, dtype=torch.float64)
    for s, y in pairs:
        rho = 1 / (s @ y)
        left = torch.eye(n, dtype=torch.float64) - rho * torch.outer(s, y)
        h = left @ h @ left.T + rho * torch.outer(s, s)
    return h


def test_directions_are_those_of_bfgs():
    g = torch.Generator().manual_seed(4)
    matrix = torch.diag(tensor(1.0, 3.0, 9.0, 27.0))
    pairs = [(s, matrix @ s) for s in torch.randn(3, 4, generator=g, dtype=torch.float64)]
    memory = Memory(10)
    for pair in pairs:
        memory.keep(*pair)
    s, y = pairs[-1]
    gradient = torch.randn(4, generator=g, dtype=torch.float64)
    expected = -bfgs(pairs, float(s @ y) / float(y @ y)) @ gradient
    torch.testing.assert_close(memory.direction(gradient), expected, rtol=1e-12, atol=1e-13)


def test_without_pairs_it_goes_down_the_gradient():
    assert Memory(3).direction(tensor(1.0, -2.0)).tolist() == [-1.0, 2.0]


def test_only_the_last_pairs_of_positive_curvature_are_kept():
    memory = Memory(2)
    for k in (1.0, 2.0, 3.0):
        memory.keep(tensor(k), tensor(1.0))
    memory.keep(tensor(1.0), tensor(-1.0))
    assert [float(s) for s, _ in memory.pairs] == [2.0, 3.0]


def test_the_first_step_is_no_longer_than_one():
    assert first_length(tensor(3.0, 4.0)) == 0.2
    assert first_length(tensor(0.3, 0.4)) == 1.0


@dataclass
class Along:
    """A cost of one variable, as points and derivatives are asked of a problem."""

    cost: object
    slope: object
    tried: list

    def at(self, v):
        self.tried.append(float(v))
        return Place(v, Cost(0.0, 2.0 * self.cost(float(v))))

    def linearize(self, point):
        return Derivative(point, tensor(self.slope(float(point.v))))


@dataclass
class Place:
    v: torch.Tensor
    cost: Cost


@dataclass
class Derivative:
    point: Place
    gradient: torch.Tensor


def search(cost, slope, length, start=0.0):
    problem = Along(cost, slope, [])
    here = problem.linearize(problem.at(tensor(start)))
    problem.tried.clear()
    found = line_search(problem, here, tensor(1.0), length)
    return (None if found is None else float(found.point.v)), problem.tried


def parabola(v):
    return (v - 1.0) ** 2


def test_a_good_length_is_taken_at_once():
    assert search(parabola, lambda v: 2 * (v - 1), 1.0) == (1.0, [1.0])


def test_a_length_that_is_too_long_is_halved():
    # at 2 the cost is that at 0, at 1 it is the least
    assert search(parabola, lambda v: 2 * (v - 1), 2.0) == (1.0, [2.0, 1.0])


def test_a_length_that_is_too_short_is_doubled():
    # the slope has to fall to 0.9 of -2: beyond 0.1
    assert search(parabola, lambda v: 2 * (v - 1), 0.04) == (0.16, [0.04, 0.08, 0.16])


def test_it_steps_back_from_where_there_is_no_cost():
    found, tried = search(lambda v: math.nan if v > 1.2 else parabola(v), lambda v: 2 * (v - 1), 4.0)
    assert (found, tried) == (1.0, [4.0, 2.0, 1.0])


def test_where_the_cost_shows_no_decrease_its_slope_decides():
    # 1e16 + (v - 1)² does not change with v, its derivative does
    found, _ = search(lambda v: 1e16 + parabola(v), lambda v: 2 * (v - 1), 1.0)
    assert found == 1.0


def test_a_direction_that_leads_up_is_given_up():
    found, tried = search(lambda v: v, lambda v: -1.0, 1.0)
    assert found is None
    assert tried[-1] < 1e-10


@pytest.mark.parametrize("kink", [0.3, 0.7])
def test_it_finds_the_minimum_of_a_cost_with_a_corner(kink):
    found, _ = search(lambda v: abs(v - kink), lambda v: 1.0 if v > kink else -1.0, 1.0)
    assert found is not None
    assert abs(found - kink) < kink
