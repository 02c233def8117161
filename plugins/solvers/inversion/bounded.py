"""The least of a quadratic cost between bounds, to the last digit: a projected Newton method.

In every step, elements that lie at a bound and are pushed against it stay there, and the others take the
Newton step of their own, shortened along its projection until the cost falls enough (Bertsekas, 1982, doi
10.1137/0320018). Once the right elements are held, one full step is exact, so that it ends after a few.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.errors import DataError

STEPS = 200
SHORTEST = 2.0**-40
ENOUGH = 1e-4
"""Part of the fall that the slope promises which a step has to bring (Armijo)."""
ROUNDING = 1e-13


@dataclass(frozen=True)
class Bounds:
    """Between what x stays, shape ``(n,)`` each; infinite where it is free."""

    least: Tensor
    greatest: Tensor

    def project(self, x: Tensor) -> Tensor:
        """Return the nearest vector between the bounds."""
        return torch.minimum(torch.maximum(x, self.least), self.greatest)

    def held(self, x: Tensor, slope: Tensor) -> Tensor:
        """Return which elements are at a bound that the slope of the cost pushes them against."""
        return ((x <= self.least) & (slope > 0)) | ((x >= self.greatest) & (slope < 0))


def least_between(hessian: Tensor, gradient: Tensor, bounds: Bounds, begin: Tensor) -> tuple[Tensor, Tensor]:
    """Return where ``xᵀ P x / 2 - qᵀ x`` is least between bounds, and which elements are held there.

    Parameters
    ----------
    hessian, gradient
        P, symmetric and positive definite, shape ``(n, n)``, and q, shape ``(n,)``.
    begin
        Where to begin.

    Raises
    ------
    DataError
        Where no end is found; P is then hardly positive definite.
    """
    x = bounds.project(begin)
    scale = hessian.diagonal().sqrt()
    for _ in range(STEPS):
        slope = hessian @ x - gradient
        held = bounds.held(x, slope)
        # the slope of each element against what rounding leaves of it
        noise = ROUNDING * (hessian.abs() @ x.abs() + gradient.abs())
        if bool((slope.abs() <= noise)[~held].all()):
            return x, held
        step = torch.zeros_like(x)
        step[~held] = _newton(hessian, slope, ~held)
        moved = _along(hessian, slope, bounds, x, step)
        if bool(((moved - x).abs() * scale <= ROUNDING * (1.0 + x.abs() * scale)).all()):
            return moved, bounds.held(moved, hessian @ moved - gradient)
        x = moved
    raise DataError(
        f"no minimum between the bounds after {STEPS} steps", where="bounds", hint="widen the bounds"
    )


def _newton(hessian: Tensor, slope: Tensor, free: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(hessian[free][:, free])
    return -torch.cholesky_solve(slope[free][:, None], factor)[:, 0]


def _along(hessian: Tensor, slope: Tensor, bounds: Bounds, x: Tensor, step: Tensor) -> Tensor:
    """Return where the projection of a shortened step lowers the cost enough."""
    length = 1.0
    while True:
        moved = bounds.project(x + length * step)
        change = moved - x
        fall = float(slope @ change + 0.5 * change @ (hessian @ change))
        if fall <= ENOUGH * float(slope @ change) or length < SHORTEST:
            return moved
        length *= 0.5
