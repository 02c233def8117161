"""The simplest operators: a dense matrix, a diagonal, the identity."""

from __future__ import annotations

import torch

from tradewind.couplers.operators.linear import LinearOperator, belongs
from tradewind.couplers.operators.spaces import Replicated, Space
from tradewind.errors import SpecError


class MatrixOperator(LinearOperator):
    """A dense matrix of shape ``(m, n)``; between replicated spaces unless told otherwise."""

    def __init__(self, matrix: torch.Tensor, domain: Space | None = None, range: Space | None = None) -> None:
        if matrix.ndim != 2 or matrix.dtype != torch.float64:
            raise SpecError(f"expected a float64 matrix, got {matrix.dtype} of shape {tuple(matrix.shape)}")
        self.matrix, self.device = matrix, matrix.device
        self.domain = domain or Replicated(matrix.shape[1])
        self.range = range or Replicated(matrix.shape[0])
        if (self.range.size, self.domain.size) != tuple(matrix.shape):
            raise SpecError(f"matrix {tuple(matrix.shape)} does not map {self.domain!r} to {self.range!r}")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x Aᵀ``, that is, A applied to the last axis."""
        self.check(x, self.domain)
        return x @ self.matrix.T

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``y A``."""
        self.check(y, self.range)
        return y @ self.matrix


class DiagonalOperator(LinearOperator):
    """Multiplication by a vector of shape ``(size,)``; its own adjoint."""

    def __init__(self, diagonal: torch.Tensor, space: Space | None = None) -> None:
        self.diagonal, self.device = diagonal, diagonal.device
        self.domain = self.range = space or Replicated(len(diagonal))
        belongs(diagonal, self.domain, self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``d x``."""
        self.check(x, self.domain)
        return self.diagonal * x

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``d y``."""
        return self.forward(y)


class IdentityOperator(LinearOperator):
    """The identity of a space."""

    def __init__(self, space: Space) -> None:
        self.domain = self.range = space

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of `x`."""
        self.check(x, self.domain)
        return x.clone()

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return a copy of `y`."""
        return self.forward(y)
