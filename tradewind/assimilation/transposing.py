"""From whole fields of some members to all members of some cells, and back: exact, values only move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from tradewind.assimilation.sharing import Bounds
from tradewind.couplers.ranks.parallel import Communicator


@dataclass(frozen=True)
class Transposition:
    """Moves fields between who steps a member and who analyses a cell; every rank enters.

    Attributes
    ----------
    counts
        How many members each rank holds, in order.
    """

    comm: Communicator
    counts: Sequence[int]

    def to_cells(self, field: Tensor, bounds: Bounds) -> Tensor:
        """Return all members of this rank's cells, shape ``(N, *extra, own cells)``.

        Parameters
        ----------
        field
            All cells of this rank's members, shape ``(mine, *extra, cell)``.
        """
        if self.comm.size == 1:
            return field
        values, shape = field.numpy(), field.shape[1:-1]
        sent = [np.ascontiguousarray(values[..., a:b]).reshape(-1) for a, b in _pairs(bounds)]
        mine = bounds[self.comm.rank + 1] - bounds[self.comm.rank]
        came = self.comm.exchange(sent)
        parts = [c.reshape(k, *shape, mine) for c, k in zip(came, self.counts, strict=True)]
        return torch.from_numpy(np.concatenate(parts))

    def to_members(self, field: Tensor, bounds: Bounds) -> Tensor:
        """Return all cells of this rank's members, shape ``(mine, *extra, cell)``; undoes `to_cells`."""
        if self.comm.size == 1:
            return field
        values, shape = np.ascontiguousarray(field.numpy()), field.shape[1:-1]
        ends = np.concatenate([[0], np.cumsum(self.counts)]).tolist()
        came = self.comm.exchange([values[a:b].reshape(-1) for a, b in _pairs(ends)])
        mine = self.counts[self.comm.rank]
        out = np.empty((mine, *shape, bounds[-1]))
        for (a, b), part in zip(_pairs(bounds), came, strict=True):
            out[..., a:b] = part.reshape(mine, *shape, b - a)
        return torch.from_numpy(out)

    def everywhere(self, values: Tensor) -> Tensor:
        """Return all members' values, shape ``(N, k)``, on every rank, from this rank's ``(mine, k)``."""
        if self.comm.size == 1:
            return values
        return torch.from_numpy(np.concatenate(self.comm.allgather_array(values.numpy())))

    def own(self, values: Tensor) -> Tensor:
        """Return this rank's members of values that all ranks hold; undoes `everywhere`."""
        if self.comm.size == 1:
            return values
        first = sum(self.counts[: self.comm.rank])
        return values[first : first + self.counts[self.comm.rank]]


def _pairs(ends: Sequence[int]) -> list[tuple[int, int]]:
    return list(pairwise(ends))
