"""The minimisers: outer loops of conjugate gradients, and L-BFGS on the full cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.linalg import vector_norm

from tradewind.errors import DataError
from tradewind.plugins.solvers.variational.course import Course
from tradewind.plugins.solvers.variational.krylov import Krylov, conjugate_gradients
from tradewind.plugins.solvers.variational.options import Minimiser, VariationalOptions
from tradewind.plugins.solvers.variational.problem import Cost, Problem, Quadratic
from tradewind.plugins.solvers.variational.quasi_newton import ROUNDING, Memory, first_length, line_search

HALVINGS = 10
FORCING = 0.1
"""Reduction that the first inner loop of Gauss-Newton is asked for (Eisenstat and Walker, 1996)."""


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    start
        The quadratic cost about xA.
    end
        The quadratic cost about the point that was found.
    krylov
        The last inner loop, of those that have one.
    """

    start: Quadratic
    end: Quadratic
    krylov: Krylov | None = None

    @property
    def reduction(self) -> float:
        """Norm of the gradient at the end over that at the start."""
        first = _norm(self.start.gradient)
        return _norm(self.end.gradient) / first if first else 0.0


def minimum(problem: Problem, options: VariationalOptions, course: Course) -> Minimum:
    """Return the minimum of the problem's cost; its course is recorded.

    Raises
    ------
    DataError
        When the cost or its gradient is not finite at the prior already: nothing sensible can be done.
    """
    start = problem.linearize(problem.start(), options.products(0, problem.root.domain.size))
    course.enter((1, 0), start.point.cost, _norm(start.gradient))
    if not math.isfinite(course.first) or not start.point.cost.finite:
        raise DataError(
            f"the gradient of the cost at the prior is {course.first}, the cost {start.point.cost.total}",
            where="variational method", hint="check the model's adjoint with `tradewind verify`",
        )  # fmt: skip
    search = _lbfgs if options.minimiser is Minimiser.LBFGS else _outer_loops
    found = search(start, options, course)
    reached = course.iterations[-1]["reduction"]
    if reached > options.reduction:
        course.note(
            f"not converged: the gradient was reduced to {reached:.1e}, {options.reduction:g} was asked"
        )
    return found


def _norm(gradient: Tensor) -> float:
    return float(vector_norm(gradient))


# ---------------------------------------------------------------------- outer and inner loops
def _outer_loops(start: Quadratic, options: VariationalOptions, course: Course) -> Minimum:
    here, krylov = start, None
    for outer in range(1, options.loops + 1):
        if _norm(here.gradient) <= options.reduction * course.first:
            break
        krylov = _inner_loop(here, outer, options, course)
        products = options.products(outer, len(here.gradient))
        following = _followed(here, krylov.step, products, course)
        if following is None:
            break
        here = following
        course.enter((outer + 1, 0), here.point.cost, _norm(here.gradient))
    return Minimum(start, here, krylov)


def _inner_loop(here: Quadratic, outer: int, options: VariationalOptions, course: Course) -> Krylov:
    right, wanted = -here.gradient, _wanted(here, options, course)
    watch = _watched(here, outer, course)
    found = conjugate_gradients(here.product, right, wanted, options.inner, watch)
    if found.fault:
        course.note(f"outer loop {outer}: {found.fault}, the inner loop ended")
    elif not found.reached and options.minimiser is Minimiser.CG:
        course.note(
            f"outer loop {outer}: ended after {options.inner} iterations, before its gradient was reduced"
            f" to {wanted:g}"
        )
    return found


def _wanted(here: Quadratic, options: VariationalOptions, course: Course) -> float:
    """Return how far an inner loop has to reduce its gradient."""
    if options.minimiser is Minimiser.CG or not course.first:
        return options.reduction
    since = _norm(here.gradient) / course.first
    # no more exact than the linearization is good for, nor than is asked of the whole
    return max(min(FORCING, since), 0.1 * options.reduction / since)


def _watched(here: Quadratic, outer: int, course: Course) -> Callable[[int, Tensor, Tensor], None]:
    def watch(inner: int, step: Tensor, residual: Tensor) -> None:
        # J(s) = J(0) + gᵀs - sᵀr, as A s = -g - r
        total = here.point.cost.total + float(here.gradient @ step) - float(step @ residual)
        v = here.point.v + step
        prior = float(v @ v)
        course.enter((outer, inner), Cost(prior, total - prior), _norm(residual))

    return watch


def _followed(here: Quadratic, step: Tensor, products: int, course: Course) -> Quadratic | None:
    """Return the cost about the end of a step, which is halved while the cost is not finite or rises."""
    reasons: list[str] = []
    for halving in range(HALVINGS + 1):
        point = here.problem.at(here.point.v + 0.5**halving * step)
        reason = _worse(here.point.cost, point.cost)
        if not reason:
            if reasons:
                course.note(f"the cost {reasons[0]} after a step, of which {0.5**halving:g} was taken")
            return _sound(here.problem.linearize(point, products), course)
        reasons.append(reason)
    course.note(f"the cost {reasons[0]} after the last step, no part of it lowers it: it was not taken")
    return None


def _worse(before: Cost, after: Cost) -> str:
    """Return what is wrong with a cost; empty when it is no higher than before, but for rounding."""
    if not after.finite:
        return "was not finite"
    rises = after.total > before.total * (1.0 + ROUNDING)
    return f"rose from {before.total:g} to {after.total:g}" if rises else ""


def _sound(quadratic: Quadratic, course: Course) -> Quadratic | None:
    """Return it unless its gradient is not finite."""
    if math.isfinite(_norm(quadratic.gradient)):
        return quadratic
    course.note("the gradient is not finite: the last step was not taken")
    return None


# ---------------------------------------------------------------------- quasi-Newton
def _lbfgs(start: Quadratic, options: VariationalOptions, course: Course) -> Minimum:
    here, memory, length = start, Memory(options.memory), first_length(start.gradient)
    for _ in range(options.inner):
        if _norm(here.gradient) <= options.reduction * course.first:
            break
        following = line_search(here.problem, here, memory.direction(here.gradient), length)
        if following is None:
            course.note("no point along the last direction lowers the cost: it was not taken")
            break
        memory.keep(following.point.v - here.point.v, following.gradient - here.gradient)
        here, length = following, 1.0
        course.enter((1, len(course.iterations)), here.point.cost, _norm(here.gradient))
    return Minimum(start, here)
