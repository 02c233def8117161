"""Own cells in place, remote ones fetched: what a rank's rows of a matrix need."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.ranks.layout import Fetch, Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells: TypeAlias = NDArray[np.int64]


class Halo:
    """A plan that puts the values of remote cells behind those of a rank's own; collective to make and use.

    Parameters
    ----------
    layout
        The owners. A cell of several owners is read from the first of them.
    wanted
        Global indices of the cells that this rank needs, in any order, repeated or not.
    """

    def __init__(self, layout: Layout, wanted: Cells) -> None:
        self.layout = layout
        self.remote: Cells = self._remote(wanted)
        self.fetch = None if layout.is_serial else Fetch(layout, self.remote)

    def _remote(self, wanted: Cells) -> Cells:
        if self.layout.is_serial:
            return np.empty(0, dtype=np.int64)
        server, _ = self.layout.server
        return np.unique(wanted[server[wanted] != self.layout.comm.rank])

    @property
    def size(self) -> int:
        """Number of own and remote cells."""
        return self.layout.n_local + len(self.remote)

    @property
    def cells(self) -> Cells:
        """Global indices: own cells first, then remote ones, shape ``(size,)``."""
        return np.concatenate([self.layout.owned, self.remote])

    def places(self, cells: Cells) -> NDArray[np.int32]:
        """Return where wanted cells stand among own and remote ones."""
        if self.layout.is_serial:
            return cells.astype(np.int32)
        server, place = self.layout.server
        remote = self.layout.n_local + np.searchsorted(self.remote, cells)
        own = server[cells] == self.layout.comm.rank
        return np.where(own, place[cells], remote).astype(np.int32)

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ``(members, size)`` from the own cells' values, ``(members, n_local)``."""
        if self.fetch is None:
            return values
        out = np.empty((len(values), self.size))
        out[:, : self.layout.n_local] = values
        arrived = self.layout.comm.exchange([np.ascontiguousarray(values[:, s].T) for s in self.fetch.send])
        for into, part in zip(self.fetch.receive, arrived, strict=True):
            out[:, self.layout.n_local + into] = part.T
        return out
