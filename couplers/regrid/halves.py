"""The two directions of a sparse operator: fetch what this rank's rows need, then multiply in fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.ranks.layout import Fetch, Layout, cells_first, cells_last

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Half:
    """One direction: fetch the inputs that this rank's rows need, then multiply in fixed order."""

    fetch: Fetch
    matrix: sparse.csr_array

    @classmethod
    def of(cls, inputs: Layout, rows: int, row: Index, col: Index, value: Array) -> Half:
        """Build from entries with local rows and global columns, sorted by row, then column; collective."""
        wanted = inputs.owned if inputs.is_serial else np.unique(col)
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
        # columns stay in the order of their global indices: it is the order of summation
        matrix = sparse.csr_array((value, np.searchsorted(wanted, col), starts), shape=(rows, len(wanted)))
        return cls(Fetch(inputs, wanted), matrix)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the rows, shape ``(*batch, rows)``, for inputs ``(*batch, n_local)``."""
        return cells_last(self.matrix @ self.fetch.forward(cells_first(values, self.fetch.layout)), values)


def transposed(source: Layout, target: Layout, row: Index, col: Index, value: Array) -> Half:
    """Send every entry to the owner of its column, and store the transpose's rows there."""
    owner, place = source.server
    to = owner[col]
    index = np.stack([row, place[col]], axis=1)
    parts = [np.flatnonzero(to == r) for r in range(source.comm.size)]
    arrived = np.concatenate(source.comm.exchange([index[p] for p in parts]))
    values = np.concatenate(source.comm.exchange([value[p] for p in parts]))
    order = np.lexsort((arrived[:, 0], arrived[:, 1]))
    return Half.of(target, source.n_local, arrived[order, 1], arrived[order, 0], values[order])
