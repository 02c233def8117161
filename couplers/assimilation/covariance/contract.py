"""What every covariance can do, and its square root as an operator."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from tradewind.couplers.operators import LinearOperator, MatrixOperator, Replicated


class Covariance(Protocol):
    """A symmetric positive definite matrix of shape ``(n, n)``, by its actions."""

    @property
    def size(self) -> int:
        """Length n."""

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x`` over the last axis, shape ``(..., n)``."""

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x`` over the last axis, shape ``(..., n)``."""

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x`` with ``L Lᵀ = C``, shape ``(..., n)``."""

    def diagonal(self) -> Tensor:
        """Return the variances, shape ``(n,)``."""

    def take(self, index: Tensor) -> Covariance:
        """Return the covariance of the elements at `index`, ascending positions."""


@runtime_checkable
class HasRootAdjoint(Protocol):
    """A covariance whose square root has an adjoint that needs no matrix."""

    @property
    def size(self) -> int:
        """Length n."""

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x`` with ``L Lᵀ = C``, shape ``(..., n)``."""

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``, shape ``(..., n)``."""


class RootOperator(LinearOperator):
    """L of a covariance ``C = L Lᵀ``, on ``Replicated(n)``.

    Parameters
    ----------
    covariance
        C.
    """

    def __init__(self, covariance: HasRootAdjoint) -> None:
        self.covariance = covariance
        self.domain = self.range = Replicated(covariance.size)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``L x``."""
        self.check(x, self.domain)
        return self.covariance.sqrt(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Lᵀ y``."""
        self.check(y, self.range)
        return self.covariance.sqrt_adjoint(y)


def square_root(covariance: Covariance) -> LinearOperator:
    """Return L with ``L Lᵀ = C`` as an operator on ``Replicated(n)``; a matrix only where it must be one."""
    if isinstance(covariance, HasRootAdjoint):
        return RootOperator(covariance)
    return MatrixOperator(covariance.sqrt(torch.eye(covariance.size, dtype=torch.float64)).T.contiguous())


def dense(covariance: Covariance) -> Tensor:
    """Return the matrix of a covariance, shape ``(n, n)``: for tests, and for what is small."""
    return covariance.apply(torch.eye(covariance.size, dtype=torch.float64))
