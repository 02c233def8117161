"""Who owns which cells of a grid, and how fields move between owners."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.operators import CPU, Distributed, LinearOperator
from tradewind.couplers.ranks.parallel import Communicator, agree, as_communicator, owned_blocks, tree_sum
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tradewind.couplers.grids import Grid

    Cells: TypeAlias = NDArray[np.int64]


class Layout:
    """Which cells of `grid` this rank owns; constructing one is collective.

    Parameters
    ----------
    grid
        The grid.
    comm
        Communicator (None: serial).
    owned
        Sorted global cell indices of this rank, possibly none. Together, the ranks own every cell; a cell
        may be owned by several (a halo). By default cells are dealt in contiguous blocks, in serial all.

    Raises
    ------
    SpecError
        Indices unsorted, repeated or beyond the grid, or a cell that nobody owns.
    """

    def __init__(self, grid: Grid, comm: object | None = None, owned: ArrayLike | None = None) -> None:
        self.grid = grid
        self.comm: Communicator = as_communicator(comm)
        mine = _dealt(grid.size, 256, self.comm) if owned is None else np.asarray(owned)
        with agree(self.comm, "Layout"):
            self.owned: Cells = _checked(mine, grid)
        self._everyone: list[Cells] = self.comm.allgather_array(self.owned)
        self._whole: dict[int, bool] = {}
        self._refuse_orphans()

    @classmethod
    def blocks(cls, grid: Grid, comm: object | None = None, block: int = 256) -> Layout:
        """Deal whole, contiguous blocks of `block` cells to the ranks, some of which may get none."""
        return cls(grid, comm, _dealt(grid.size, block, as_communicator(comm)))

    @property
    def n_local(self) -> int:
        """Number of cells of this rank."""
        return len(self.owned)

    @property
    def n_global(self) -> int:
        """Number of cells of the grid."""
        return self.grid.size

    @property
    def is_serial(self) -> bool:
        """Whether there is only one rank."""
        return self.comm.size == 1

    @cached_property
    def overlaps(self) -> bool:
        """Whether some cell has several owners (a halo); the same on all ranks."""
        return sum(len(cells) for cells in self._everyone) > self.n_global

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the grid and of every rank's cells: the same on all ranks."""
        digest = hashlib.sha256(self.grid.fingerprint.encode())
        for cells in self._everyone:
            digest.update(f"{len(cells)};".encode() + cells.tobytes())
        return digest.hexdigest()

    @cached_property
    def server(self) -> tuple[Cells, Cells]:
        """For every cell of the grid, the first rank that owns it and the position there."""
        rank, position = np.empty(self.n_global, dtype=np.int64), np.empty(self.n_global, dtype=np.int64)
        for r in range(self.comm.size - 1, -1, -1):
            rank[self._everyone[r]] = r
            position[self._everyone[r]] = np.arange(len(self._everyone[r]))
        return rank, position

    def gather(self, local: torch.Tensor) -> torch.Tensor:
        """Return the whole field, shape ``(..., n_global)``, on all ranks from each rank's part."""
        with agree(self.comm, "gather"):
            flat = cells_first(local, self)
        parts = self.comm.allgather_array(flat)
        whole = np.empty((self.n_global, *flat.shape[1:]))
        for cells, part in zip(reversed(self._everyone), reversed(parts), strict=True):
            whole[cells] = part
        return cells_last(whole, local)

    def scatter(self, whole: torch.Tensor) -> torch.Tensor:
        """Return this rank's part, shape ``(..., n_local)``, of a field that all ranks hold."""
        if whole.shape[-1] != self.n_global:
            raise SpecError(f"expected (..., {self.n_global}), got {tuple(whole.shape)}", where="scatter")
        return whole[..., torch.from_numpy(self.owned).to(whole.device)]

    def redistribute(self, other: Layout) -> Redistribution:
        """Return the operator that moves fields to the owners of `other` (same grid, maybe with a halo)."""
        return Redistribution(self, other)

    def with_halo(self, rings: int) -> Layout:
        """Return the layout in which each rank also owns `rings` rings of neighbouring cells."""
        cells = self.owned
        for _ in range(rings):
            cells = self.grid.neighbours(cells)
        return Layout(self.grid, self.comm, cells)

    def block_sums(self, values: torch.Tensor, block: int) -> torch.Tensor:
        """Return the sums of all ranks' `values`, shape ``(n_local,)``, over blocks of cells, in order.

        `block` is a power of two. Where ranks own whole blocks, only one number a block travels.
        """
        if block not in self._whole:
            self._whole[block] = self._owns_whole(block)
        if self._whole[block]:
            parts = self.comm.allgather_array(_sums(values, block).cpu().numpy())
            return torch.from_numpy(np.concatenate(parts))
        everything = np.concatenate(self.comm.allgather_array(values.cpu().numpy()))
        order = np.argsort(np.concatenate(self._everyone), kind="stable")
        return _sums(torch.from_numpy(everything[order]), block)

    def _owns_whole(self, block: int) -> bool:
        joined = np.concatenate(self._everyone)
        in_order = np.array_equal(joined, np.arange(self.n_global))
        ends = np.cumsum([len(c) for c in self._everyone])
        return in_order and bool(np.all((ends % block == 0) | (ends == self.n_global)))

    def _refuse_orphans(self) -> None:
        seen = np.zeros(self.n_global, dtype=bool)
        seen[np.concatenate(self._everyone)] = True
        if not seen.all():
            raise SpecError(
                f"{(~seen).sum()} cells belong to no rank, the first is {int(np.argmin(seen))}",
                where=f"Layout of {self.grid!r}",
                hint="together, the ranks must own every cell",
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layout) and (other is self or other.fingerprint == self.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"Layout({self.grid!r}, {self.n_local} of {self.n_global} cells on rank {self.comm.rank})"


def _dealt(n: int, block: int, comm: Communicator) -> Cells:
    blocks = owned_blocks(n, block, comm)
    return np.arange(min(blocks.start * block, n), min(blocks.stop * block, n), dtype=np.int64)


def _checked(owned: NDArray[np.generic], grid: Grid) -> Cells:
    if owned.ndim != 1 or (owned.size and not np.issubdtype(owned.dtype, np.integer)):
        raise SpecError(f"expected a list of cell indices, got {owned.dtype} {owned.shape}", where="Layout")
    cells = owned.astype(np.int64)
    if np.any(np.diff(cells) <= 0):
        raise SpecError(
            "cell indices are not sorted and unique", where="Layout", hint="give np.unique(owned)"
        )
    if cells.size and (cells[0] < 0 or cells[-1] >= grid.size):
        raise SpecError(
            f"cells {cells[0]}..{cells[-1]} exceed 0..{grid.size - 1}", where=f"Layout of {grid!r}"
        )
    return cells


def _sums(values: torch.Tensor, block: int) -> torch.Tensor:
    short = -len(values) % block
    padded = torch.cat([values, values.new_zeros(short)])
    return tree_sum(padded.reshape(-1, block).T)


def cells_first(local: torch.Tensor, layout: Layout) -> NDArray[np.float64]:
    """Return a field ``(*batch, n_local)`` as an array ``(n_local, k)``, the order that products want."""
    if local.shape[-1] != layout.n_local:
        raise SpecError(f"expected (..., {layout.n_local}), got {tuple(local.shape)}", where=repr(layout))
    columns = int(np.prod(local.shape[:-1], dtype=np.int64))
    return np.ascontiguousarray(local.detach().cpu().numpy().reshape(columns, layout.n_local).T)


def cells_last(values: NDArray[np.float64], like: torch.Tensor) -> torch.Tensor:
    """Return an array ``(n, k)`` as a field ``(*batch, n)`` with the batch and the device of `like`."""
    out = torch.from_numpy(np.ascontiguousarray(values.T))
    return out.reshape(*like.shape[:-1], len(values)).to(like.device)


class Fetch:
    """A plan to fetch the values of some cells from their owners, and to add cotangents back.

    Making the plan and using it are collective.

    Parameters
    ----------
    layout
        The owners.
    wanted
        Sorted global indices of the cells that this rank wants.
    """

    def __init__(self, layout: Layout, wanted: Cells) -> None:
        self.layout, self.wanted = layout, wanted
        rank, position = layout.server
        served_by, there = rank[wanted], position[wanted]
        self.receive = [np.flatnonzero(served_by == r) for r in range(layout.comm.size)]
        self.send = layout.comm.exchange([there[into] for into in self.receive])

    def forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the wanted cells' values, shape ``(wanted, k)``, from the owned ones', ``(n_local, k)``."""
        if self.layout.is_serial and self.wanted is self.layout.owned:
            return values
        arrived = self.layout.comm.exchange([values[s] for s in self.send])
        out = np.empty((len(self.wanted), *values.shape[1:]))
        for into, part in zip(self.receive, arrived, strict=True):
            out[into] = part
        return out

    def adjoint(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return cotangents of the owned cells: all that came back, added in the order of the ranks."""
        arrived = self.layout.comm.exchange([values[into] for into in self.receive])
        out = np.zeros((self.layout.n_local, *values.shape[1:]))
        for taken, part in zip(self.send, arrived, strict=True):
            out[taken] += part
        return out


class Redistribution(LinearOperator):
    """Moves a field from the owners of one layout to those of another on the same grid.

    Where `target` overlaps (a halo), forward copies each cell to all its owners; the adjoint adds their
    cotangents. It is the same exchange with the roles swapped.
    """

    def __init__(self, source: Layout, target: Layout) -> None:
        if source.grid.fingerprint != target.grid.fingerprint:
            raise SpecError(
                f"{source.grid!r} is not {target.grid!r}", where="redistribute", hint="regrid first"
            )
        if source.comm.size != target.comm.size:
            raise SpecError(f"{source.comm!r} is not {target.comm!r}", where="redistribute")
        self.domain, self.range, self.device = Distributed(source), Distributed(target), CPU
        self.fetch = Fetch(source, target.owned)
        self._source, self._target = source, target

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the target owners' cells."""
        self.check(x, self.domain)
        return cells_last(self.fetch.forward(cells_first(x, self._source)), x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the cotangents of the source owners' cells."""
        self.check(y, self.range)
        return cells_last(self.fetch.adjoint(cells_first(y, self._target)), y)
