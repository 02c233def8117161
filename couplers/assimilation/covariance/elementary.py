"""Covariances that are written out: a diagonal, a full matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tradewind.errors import DataError


@dataclass(frozen=True)
class DiagonalCovariance:
    """Errors that know nothing of each other.

    Attributes
    ----------
    variance
        Shape ``(n,)``, positive.

    Raises
    ------
    DataError
        When a variance is not positive and finite.
    """

    variance: Tensor

    def __post_init__(self) -> None:
        bad = ~(torch.isfinite(self.variance) & (self.variance > 0))
        if bool(bad.any()):
            first = int(bad.nonzero()[0, 0])
            raise DataError(
                f"variance {first} is {float(self.variance[first])}",
                where="covariance",
                hint="variances are positive",
            )

    @property
    def size(self) -> int:
        """Length n."""
        return len(self.variance)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x``."""
        return self.variance * x

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x``."""
        return x / self.variance

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x``."""
        return self.variance.sqrt() * x

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``."""
        return self.sqrt(x)

    def diagonal(self) -> Tensor:
        """Return the variances."""
        return self.variance

    def take(self, index: Tensor) -> DiagonalCovariance:
        """Return the covariance of some elements."""
        return DiagonalCovariance(self.variance[index])


class DenseCovariance:
    """A full matrix, factorised once by Cholesky.

    Parameters
    ----------
    matrix
        Symmetric positive definite, shape ``(n, n)``, float64.

    Raises
    ------
    DataError
        When the matrix is not symmetric positive definite.
    """

    def __init__(self, matrix: Tensor) -> None:
        square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
        if not square or not torch.allclose(matrix, matrix.T, rtol=1e-10, atol=0.0):
            raise DataError("the matrix is not symmetric", where="covariance")
        self.matrix = matrix
        factor, info = torch.linalg.cholesky_ex(matrix)
        if int(info):
            raise DataError(f"the matrix is not positive definite (minor {int(info)})", where="covariance")
        self._factor: Tensor = factor

    @property
    def size(self) -> int:
        """Length n."""
        return len(self.matrix)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x``."""
        return x @ self.matrix

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x``."""
        # right-hand sides as columns: a batch of them would copy the factor for each
        columns = x.reshape(-1, self.size).T
        return torch.cholesky_solve(columns, self._factor).T.reshape(x.shape)

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x``."""
        return x @ self._factor.T

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``."""
        return x @ self._factor

    def diagonal(self) -> Tensor:
        """Return the variances."""
        return self.matrix.diagonal()

    def take(self, index: Tensor) -> DenseCovariance:
        """Return the covariance of some elements."""
        return DenseCovariance(self.matrix[index][:, index])
