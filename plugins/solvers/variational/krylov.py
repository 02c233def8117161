"""Conjugate gradients, and what their Lanczos vectors tell of the matrix.

Symbols: A the Hessian I + W of a quadratic cost, b = -g its right-hand side, s the step, r = b - A s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
Watch = Callable[[int, Tensor, Tensor], None]
"""Told after every iteration: its number from 1, s and r."""


@dataclass(frozen=True)
class Krylov:
    """What conjugate gradients found.

    Attributes
    ----------
    step
        s, shape ``(p,)``.
    reached
        Whether |r| was reduced as far as was asked for.
    vectors
        Lanczos vectors r_i/|r_i|, orthonormal, shape ``(k, p)``.
    tridiagonal
        A between them, shape ``(k, k)``.
    fault
        Why it had to stop; empty when nothing went wrong.
    """

    step: Tensor
    reached: bool
    vectors: Tensor
    tridiagonal: Tensor
    fault: str = ""

    def eigenpairs(self) -> tuple[Tensor, Tensor]:
        """Return Ritz values λ of W = A - I, largest first, and their vectors as rows, ``(k, p)``."""
        if not len(self.tridiagonal):
            return self.step.new_zeros(0), self.vectors
        values, along = torch.linalg.eigh(self.tridiagonal)
        return (values - 1.0).clamp(min=0.0).flip(0), (along.T @ self.vectors).flip(0)


@dataclass
class _Directions:
    """Residuals gone along, kept orthogonal, and the coefficients between them."""

    rows: list[Tensor]
    alphas: list[float]
    betas: list[float]

    def orthogonal(self, r: Tensor) -> Tensor:
        """Return r without its part along earlier ones, which only rounding has left there."""
        for q in self.rows:
            r = r - (q @ r) * q
        return r

    @property
    def matrix(self) -> Tensor:
        """A between the vectors (Golub and Van Loan, 2013, Matrix Computations, section 11.3)."""
        k = len(self.alphas)
        out = torch.zeros(k, k, dtype=torch.float64)
        for i, alpha in enumerate(self.alphas):
            out[i, i] = 1.0 / alpha + (self.betas[i - 1] / self.alphas[i - 1] if i else 0.0)
            if i:
                out[i, i - 1] = out[i - 1, i] = -math.sqrt(self.betas[i - 1]) / self.alphas[i - 1]
        return out


def conjugate_gradients(
    product: Product, right: Tensor, reduction: float, limit: int, watch: Watch
) -> Krylov:
    """Solve ``A s = b`` from s = 0 (Hestenes and Stiefel, 1952), residuals kept orthogonal.

    Parameters
    ----------
    product
        A.
    right
        b, shape ``(p,)``.
    reduction
        Where to stop: |r|/|b|.
    limit
        Iterations at most.
    """
    step, r, p = torch.zeros_like(right), right, right
    start = squared = float(r @ r)
    gone = _Directions([], [], [])
    fault = ""
    while len(gone.alphas) < limit and squared > reduction**2 * start:
        along = product(p)
        curvature = float(p @ along)
        if not curvature > 0 or not math.isfinite(curvature):
            fault = f"the curvature along a search direction is {curvature:g}"
            break
        alpha = squared / curvature
        gone.rows.append(r / math.sqrt(squared))
        step, r = step + alpha * p, gone.orthogonal(r - alpha * along)
        before, squared = squared, float(r @ r)
        gone.alphas.append(alpha)
        gone.betas.append(squared / before)
        p = r + (squared / before) * p
        watch(len(gone.alphas), step, r)
    vectors = torch.stack(gone.rows) if gone.rows else right.new_zeros(0, len(right))
    return Krylov(step, squared <= reduction**2 * start, vectors, gone.matrix, fault)
