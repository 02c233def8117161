"""From elements to cells, and back in an order that does not depend on the ranks."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.control.elements import sum_matrix
from tradewind.couplers.operators import Distributed, LinearOperator, Replicated, Space
from tradewind.couplers.ranks.parallel import Communicator, Serial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.ranks.layout import Layout

    Labels: TypeAlias = NDArray[np.int64]


class Support:
    """Where a field lives: on the cells of a layout, or (without a grid) nowhere, as one pseudo cell.

    Parameters
    ----------
    layout
        Owner of the cells; None: a field without a grid, shape ``extra``.
    extra
        Lengths of the axes before the cells.
    """

    def __init__(self, layout: Layout | None, extra: tuple[int, ...] = ()) -> None:
        self.layout, self.extra, self.copies = layout, extra, prod(extra)
        self.comm: Communicator = Serial() if layout is None else layout.comm

    @property
    def n_local(self) -> int:
        """Number of cells of this rank."""
        return 1 if self.layout is None else self.layout.n_local

    @property
    def n_global(self) -> int:
        """Number of cells of the grid."""
        return 1 if self.layout is None else self.layout.n_global

    @property
    def owned(self) -> Labels:
        """Cells of this rank."""
        return np.zeros(1, dtype=np.int64) if self.layout is None else self.layout.owned

    @property
    def space(self) -> Space:
        """Of the field, flattened."""
        return Replicated(self.copies) if self.layout is None else Distributed(self.layout, self.extra)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one field on this rank: ``(*extra, cell)``, or ``extra`` without a grid."""
        return self.extra if self.layout is None else (*self.extra, self.n_local)

    def gather(self, field: Tensor) -> Tensor:
        """Return the whole field, shape ``(copies, n_global)``, on all ranks."""
        flat = field.reshape(self.copies, self.n_local)
        return flat if self.layout is None else self.layout.gather(flat)


class SpreadOperator(LinearOperator):
    """``(D x)_c = w_c x[label_c]``, zero where a cell has no label; ``Replicated(n)`` to the cells.

    The adjoint ``(Dᵀ y)_k = Σ w_c y_c`` over the cells of k adds in the order of global cell numbers (levels
    within them) on every rank, so its bits depend neither on the number of ranks nor on who owns which cells.

    Parameters
    ----------
    weights
        w on this rank's cells, shape ``(copies * cell,)``, levels before cells.
    labels
        Of every cell of the grid, shape ``(copies, n_global)``.
    n
        Number of elements.
    support
        Where the cells are; where they have several owners, each owner's cotangent counts.
    """

    def __init__(self, weights: Tensor, labels: Labels, n: int, support: Support) -> None:
        self.weights, self.support = weights, support
        self.domain, self.range = Replicated(n), support.space
        self.label = torch.from_numpy(np.ascontiguousarray(labels[:, support.owned]).reshape(-1))
        cells = np.concatenate(support.comm.allgather_array(support.owned))
        self._order = np.argsort(cells, kind="stable")
        self._sums = sum_matrix(labels.T[cells[self._order]].reshape(-1), n)

    def weighted(self, weights: Tensor) -> SpreadOperator:
        """Return the operator with other weights, shape ``(copies * cell,)``; not collective."""
        other = object.__new__(SpreadOperator)
        other.__dict__.update(self.__dict__ | {"weights": weights})
        return other

    def forward(self, x: Tensor) -> Tensor:
        """Return the field, flattened, shape ``(..., copies * cell)``."""
        self.check(x, self.domain)
        # label -1 picks the zero behind the last element
        padded = torch.cat([x, x.new_zeros(*x.shape[:-1], 1)], dim=-1)
        return self.weights * padded[..., self.label]

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the sums over elements, shape ``(..., n)``, on all ranks."""
        self.check(y, self.range)
        batch, (levels, cells) = y.shape[:-1], (self.support.copies, self.support.n_local)
        local = (self.weights * y.detach()).reshape(batch.numel(), levels, cells).permute(2, 1, 0)
        parts = self.support.comm.allgather_array(np.ascontiguousarray(local.numpy()))
        whole = np.concatenate(parts)[self._order]
        total = self._sums @ whole.reshape(-1, batch.numel())
        return torch.from_numpy(np.ascontiguousarray(total.T)).reshape(*batch, self.domain.size)
