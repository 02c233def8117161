"""Several looks at one field, each of which gives some of the observations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.assimilation.looks import LinearLook, Look
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.operators import LinearOperator, Replicated


class StackedLook:
    """Looks at one field, whose answers are observations beside each other; those between are zero.

    Parameters
    ----------
    parts
        Where the observations of each begin, and the look.
    m
        Number of all observations.
    """

    def __init__(self, parts: Sequence[tuple[int, Look]], m: int) -> None:
        self.parts, self.m = tuple(parts), m

    def __call__(self, field: Tensor) -> Tensor:
        """Return its part of y, shape ``(*batch, m)``."""
        return _laid_out([(begin, look(field)) for begin, look in self.parts], self.m)

    def linearize(self, field: Tensor) -> LinearOperator:
        """Return the derivatives at `field`, one below the other."""
        return StackedOperator([(begin, look.linearize(field)) for begin, look in self.parts], self.m)


class StackedOperator(LinearOperator):
    """Operators of one domain, whose answers stand beside each other; those between are zero.

    Parameters
    ----------
    parts
        Where the answer of each begins, and the operator, to ``Replicated``.
    m
        Length of the whole.
    """

    def __init__(self, parts: Sequence[tuple[int, LinearOperator]], m: int) -> None:
        self.parts = tuple(parts)
        self.domain, self.range = self.parts[0][1].domain, Replicated(m)

    def forward(self, x: Tensor) -> Tensor:
        """Return the answers, shape ``(..., m)``."""
        return _laid_out([(begin, part.forward(x)) for begin, part in self.parts], self.range.size)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the sum of the adjoints, in the order of the parts."""
        total = y.new_zeros(*y.shape[:-1], self.domain.size)
        for begin, part in self.parts:
            total = total + part.adjoint(y[..., begin : begin + part.range.size])
        return total


def stacked(parts: Sequence[tuple[int, Look]], m: int) -> Look:
    """Return looks at one field as one; where all are rows of a matrix, as one matrix."""
    if len(parts) == 1 and parts[0][0] == 0:
        size = _rows_of(parts[0][1])
        if size is not None and size.range.size == m:
            return parts[0][1]
    samplers = [_rows_of(look) for _, look in parts]
    known = [s for s in samplers if s is not None]
    if len(known) < len(samplers) or any(s.layout is not known[0].layout for s in known):
        return StackedLook(parts, m)
    begins = [begin for begin, _ in parts]
    rows = _spread([s.rows for s in known], begins, m)
    return LinearLook(SamplingOperator(rows, known[0].layout, known[0].extra))


def _rows_of(look: Look) -> SamplingOperator | None:
    found = look.operator if isinstance(look, LinearLook) else None
    return found if isinstance(found, SamplingOperator) else None


def _spread(blocks: Sequence[sparse.csr_array], begins: Sequence[int], m: int) -> sparse.csr_array:
    """Return blocks below each other, each beginning at its row, with empty rows between."""
    parts, at = [], 0
    for begin, block in zip(begins, blocks, strict=True):
        parts += [sparse.csr_array((begin - at, block.shape[1]))] if begin > at else []
        parts.append(block)
        at = begin + block.shape[0]
    parts += [sparse.csr_array((m - at, blocks[0].shape[1]))] if m > at else []
    return sparse.csr_array(sparse.vstack(parts, format="csr"))


def _laid_out(parts: Sequence[tuple[int, Tensor]], m: int) -> Tensor:
    whole = parts[0][1].new_zeros(*parts[0][1].shape[:-1], m)
    for begin, part in parts:
        whole[..., begin : begin + part.shape[-1]] = part
    return torch.as_tensor(whole)
