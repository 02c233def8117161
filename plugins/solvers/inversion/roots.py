"""Both sides of a symmetric matrix at once by a square root of the prior, with few copies of it."""

from __future__ import annotations

import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance import (
    BlockCovariance,
    Covariance,
    DiagonalCovariance,
    KroneckerCovariance,
    square_root,
)
from tradewind.plugins.solvers.products.compensated import mirrored


class Root:
    """L of ``Sa = L Lᵀ``.

    Parameters
    ----------
    prior
        Sa, size n; one without correlations costs no product of matrices.
    """

    def __init__(self, prior: Covariance) -> None:
        self.prior = prior
        self.diagonal = _diagonal(prior)
        self._operator = square_root(prior)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``L x`` over the last axis."""
        return self._operator.forward(x)

    def adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x`` over the last axis."""
        return self._operator.adjoint(x)

    def inward(self, matrix: Tensor) -> Tensor:
        """Return ``Lᵀ X L`` of a symmetric matrix, which stays as it is."""
        if self.diagonal is not None:
            return symmetric((matrix * self.diagonal[:, None]).mul_(self.diagonal))
        half = self.adjoint(matrix)
        return symmetric(self.adjoint(half.T.contiguous()))

    def outward(self, matrix: Tensor) -> Tensor:
        """Return ``L X Lᵀ`` of a symmetric matrix, which may be lost."""
        if self.diagonal is not None:
            return symmetric(matrix.mul_(self.diagonal[:, None]).mul_(self.diagonal))
        half = self.forward(matrix)
        return symmetric(self.forward(half.T.contiguous()))


def symmetric(matrix: Tensor) -> Tensor:
    """Return a matrix made symmetric to the bit: what is below its diagonal counts; in place."""
    mirrored(matrix.numpy())
    return matrix


def _diagonal(prior: Covariance) -> Tensor | None:
    """Return the standard deviations of a prior without correlations, None of any other."""
    if isinstance(prior, DiagonalCovariance):
        return prior.variance.sqrt()
    if isinstance(prior, BlockCovariance):
        parts = [_diagonal(part) for part in prior.parts]
        found = [part for part in parts if part is not None]
        return torch.cat(found) if len(found) == len(parts) else None
    if isinstance(prior, KroneckerCovariance):
        outer, inner = _diagonal(prior.outer), _diagonal(prior.inner)
        return None if outer is None or inner is None else torch.kron(outer, inner)
    return None
