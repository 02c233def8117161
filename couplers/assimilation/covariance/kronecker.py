"""Errors of the same elements at several times (or levels)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance.contract import Covariance, dense, square_root
from tradewind.couplers.assimilation.covariance.elementary import DenseCovariance
from tradewind.couplers.operators import LinearOperator

Action = Callable[[Tensor], Tensor]


class KroneckerCovariance:
    """``C = T ⊗ S``: element ``p·n + i`` is element i at time (or level) p; C is never formed.

    ``cov(p i, q j) = T_pq S_ij``; with ``T = L_T L_Tᵀ`` and ``S = L_S L_Sᵀ`` the square root is
    ``L_T ⊗ L_S`` (Van Loan, 2000, doi 10.1016/S0377-0427(00)00393-9). Such a covariance of space and time
    is separable.

    Parameters
    ----------
    outer, inner
        T of size P, often a correlation, and S of size n.
    """

    def __init__(self, outer: Covariance, inner: Covariance) -> None:
        self.outer, self.inner = outer, inner

    @property
    def size(self) -> int:
        """Length P n."""
        return self.outer.size * self.inner.size

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x``."""
        return self._both(self.outer.apply, self.inner.apply, x)

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x``."""
        return self._both(self.outer.solve, self.inner.solve, x)

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x``."""
        return self._both(self.outer.sqrt, self.inner.sqrt, x)

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``."""
        outer, inner = self._roots
        return self._both(outer.adjoint, inner.adjoint, x)

    def diagonal(self) -> Tensor:
        """Return the variances."""
        return torch.kron(self.outer.diagonal(), self.inner.diagonal())

    def take(self, index: Tensor) -> DenseCovariance:
        """Return the covariance of some elements, as a matrix."""
        time, place = index // self.inner.size, index % self.inner.size
        outer, inner = dense(self.outer), dense(self.inner)
        return DenseCovariance(outer[time][:, time] * inner[place][:, place])

    @cached_property
    def _roots(self) -> tuple[LinearOperator, LinearOperator]:
        return square_root(self.outer), square_root(self.inner)

    def _both(self, outer: Action, inner: Action, x: Tensor) -> Tensor:
        split = x.reshape(*x.shape[:-1], self.outer.size, self.inner.size)
        across = outer(inner(split).transpose(-1, -2).contiguous())
        return across.transpose(-1, -2).reshape(x.shape)
