"""Looks: how one field at one time enters the observations of a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from tradewind.couplers.operators import Distributed, LinearOperator, MatrixOperator, Replicated, Space


class Look(Protocol):
    """From one field, at one time, to the m observations of a window; what it does not see is zero."""

    def __call__(self, field: Tensor) -> Tensor:
        """Return its part of y, shape ``(*batch, m)``, of a field ``(*batch, *extra, cell)``.

        Each of a batch gets the bits that it gets alone.
        """

    def linearize(self, field: Tensor) -> LinearOperator:
        """Return the derivative at `field`, shape ``(*extra, cell)``, from its space to ``Replicated(m)``."""


class LinearLook:
    """A look that is linear: ``y = H c``.

    Parameters
    ----------
    operator
        H, from the field's space (extra axes and cells flattened) to ``Replicated(m)``.
    """

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator

    def __call__(self, field: Tensor) -> Tensor:
        """Return ``H c``; collective where the field is distributed."""
        vectors = flattened(field, self.operator.domain)
        if vectors.ndim == 1 or self.operator.columnwise:
            return self.operator.forward(vectors)
        # one by one: a product of several is summed in an order of its own
        rows = [self.operator.forward(row) for row in vectors.reshape(-1, vectors.shape[-1])]
        m = self.operator.range.size
        return (torch.stack(rows) if rows else vectors.new_zeros(0, m)).reshape(*vectors.shape[:-1], m)

    def linearize(self, field: Tensor) -> LinearOperator:
        """Return H, which is the same for every field."""
        return self.operator


class FunctionLook:
    """A look that is any function of one field which torch can differentiate.

    Parameters
    ----------
    function
        From one field ``(*extra, cell)`` to ``(m,)``; every rank holds the whole field.
    space
        Of the field, flattened.
    m
        Number of observations.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], space: Space, m: int) -> None:
        self.function, self.space, self.m = function, space, m

    def __call__(self, field: Tensor) -> Tensor:
        """Return h of every field of a batch."""
        inner = 1 + len(_extra(self.space))
        batch = field.shape[: field.ndim - inner]
        answers = [self.function(one) for one in field.reshape(-1, *field.shape[field.ndim - inner :])]
        return (torch.stack(answers) if answers else field.new_zeros(0, self.m)).reshape(*batch, self.m)

    def linearize(self, field: Tensor) -> LinearOperator:
        """Return the matrix of derivatives at `field`."""
        jacobian: Tensor = torch.autograd.functional.jacobian(self.function, field.detach())  # type: ignore[no-untyped-call]
        return MatrixOperator(jacobian.reshape(self.m, -1), self.space, Replicated(self.m))


def flattened(field: Tensor, space: Space) -> Tensor:
    """Return a field ``(*batch, *extra, cell)`` as vectors of `space`, ``(*batch, size)``."""
    extra = _extra(space)
    return field.reshape(*field.shape[: field.ndim - 1 - len(extra)], space.size) if extra else field


def _extra(space: Space) -> tuple[int, ...]:
    return space.extra if isinstance(space, Distributed) else ()
