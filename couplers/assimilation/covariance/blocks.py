"""Errors of several things that know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

from tradewind.couplers.assimilation.covariance.contract import Covariance, square_root
from tradewind.couplers.operators import LinearOperator
from tradewind.errors import SpecError


class BlockCovariance:
    """The block-diagonal matrix of several covariances, one after the other.

    Parameters
    ----------
    parts
        Covariances of sizes n1, n2, ...; n is their sum.

    Raises
    ------
    SpecError
        Without parts.
    """

    def __init__(self, parts: Sequence[Covariance]) -> None:
        if not parts:
            raise SpecError("no parts given", where="block-diagonal covariance")
        self.parts = tuple(parts)
        self.sizes = [part.size for part in parts]

    @property
    def size(self) -> int:
        """Length n."""
        return sum(self.sizes)

    def apply(self, x: Tensor) -> Tensor:
        """Return ``C x``."""
        return self._each([part.apply for part in self.parts], x)

    def solve(self, x: Tensor) -> Tensor:
        """Return ``C⁻¹ x``."""
        return self._each([part.solve for part in self.parts], x)

    def sqrt(self, x: Tensor) -> Tensor:
        """Return ``L x``."""
        return self._each([part.sqrt for part in self.parts], x)

    def sqrt_adjoint(self, x: Tensor) -> Tensor:
        """Return ``Lᵀ x``."""
        return self._each([root.adjoint for root in self._roots], x)

    def diagonal(self) -> Tensor:
        """Return the variances."""
        return torch.cat([part.diagonal() for part in self.parts])

    def take(self, index: Tensor) -> BlockCovariance:
        """Return the covariance of some elements; parts of which none is left are left out."""
        ends = torch.tensor(self.sizes).cumsum(0)
        taken = []
        for part, end in zip(self.parts, ends, strict=True):
            mine = index[(index < end) & (index >= end - part.size)] - (end - part.size)
            taken += [part.take(mine)] if len(mine) else []
        return BlockCovariance(taken)

    @cached_property
    def _roots(self) -> list[LinearOperator]:
        return [square_root(part) for part in self.parts]

    def _each(self, actions: Sequence[Callable[[Tensor], Tensor]], x: Tensor) -> Tensor:
        parts = torch.split(x, self.sizes, dim=-1)
        return torch.cat([act(part) for act, part in zip(actions, parts, strict=True)], dim=-1)
