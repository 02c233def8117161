"""L-BFGS with a line search that also steps back from where a model blows up."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tradewind.plugins.solvers.variational.problem import Point, Problem, Quadratic

DECREASE, CURVATURE = 1e-4, 0.9
"""Constants of the Wolfe conditions (Nocedal and Wright, 2006, Numerical Optimization, section 3.1)."""
ROUNDING = 1e-13
"""Relative change of a cost that may be rounding."""
FLAT = 2 * DECREASE - 1
TRIALS = 40


@dataclass
class Memory:
    """The last steps s and changes of the gradient y.

    Parameters
    ----------
    size
        How many pairs are kept.
    """

    size: int
    pairs: deque[tuple[Tensor, Tensor]] = field(default_factory=deque)

    def keep(self, s: Tensor, y: Tensor) -> None:
        """Add a pair, unless its curvature is not positive."""
        if float(s @ y) > 0:
            self.pairs.append((s, y))
            if len(self.pairs) > self.size:
                self.pairs.popleft()

    def direction(self, gradient: Tensor) -> Tensor:
        """Return ``-H g`` by the two-loop recursion (Nocedal, 1980, Math. Comput. 35, 773)."""
        q, factors = gradient, []
        for s, y in reversed(self.pairs):
            factors.append(float(s @ q) / float(s @ y))
            q = q - factors[-1] * y
        if self.pairs:
            s, y = self.pairs[-1]
            q = q * (float(s @ y) / float(y @ y))
        for (s, y), factor in zip(self.pairs, reversed(factors), strict=True):
            q = q + (factor - float(y @ q) / float(s @ y)) * s
        return -q


def line_search(problem: Problem, here: Quadratic, direction: Tensor, length: float) -> Quadratic | None:
    """Return a point along `direction` that meets the weak Wolfe conditions; None where there is none.

    By bisection (Lewis and Overton, 2013, Math. Program. 141, 135); near the minimum, where the cost no
    longer shows a decrease, its slope decides (Hager and Zhang, 2005, SIAM J. Optim. 16, 170).

    Parameters
    ----------
    length
        First length that is tried.
    """
    slope, low, high = float(here.gradient @ direction), 0.0, math.inf
    for _ in range(TRIALS):
        found = _lower(problem, here, length * direction, slope * length)
        ahead = math.nan if found is None else float(found.gradient @ direction)
        if found is None or not (_falls(here, found.point, slope * length) or ahead <= FLAT * slope):
            high = length
        elif not ahead >= CURVATURE * slope:
            low = length
        else:
            return found
        length = 2.0 * low if math.isinf(high) else 0.5 * (low + high)
    return None


def _lower(problem: Problem, here: Quadratic, step: Tensor, fall: float) -> Quadratic | None:
    """Return the derivative at the end of a step, if the cost falls there or is the same but for rounding."""
    point = problem.at(here.point.v + step)
    level = abs(point.cost.total - here.point.cost.total) <= ROUNDING * here.point.cost.total
    if not point.cost.finite or not (level or _falls(here, point, fall)):
        return None
    return problem.linearize(point)


def _falls(here: Quadratic, point: Point, fall: float) -> bool:
    return 0.5 * (point.cost.total - here.point.cost.total) <= DECREASE * fall


def first_length(gradient: Tensor) -> float:
    """Return a careful length of the first step, which is along the gradient: at most 1 in v."""
    return min(1.0, 1.0 / float(torch.linalg.vector_norm(gradient)))
