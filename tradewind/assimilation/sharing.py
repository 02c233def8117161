"""Which members a rank holds and steps together, and which cells it analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Filter, Observations, WeighsWork
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator, owned_blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]

Bounds: TypeAlias = tuple[int, ...]
"""Cells of rank r are those from the r-th number to before the next: one more number than ranks."""


@dataclass(frozen=True)
class Shares:
    """Members by rank and wave, in order: ranks hold whole waves, and contiguous members.

    Attributes
    ----------
    waves
        By rank: the members of each of its waves, by their numbers from 0.
    """

    waves: tuple[tuple[tuple[int, ...], ...], ...]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """How many members each rank holds."""
        return tuple(sum(len(wave) for wave in waves) for waves in self.waves)

    @cached_property
    def members(self) -> tuple[int, ...]:
        """All that are left, by their numbers from 0."""
        return tuple(member for waves in self.waves for wave in waves for member in wave)

    def without(self, lost: Sequence[int]) -> Shares:
        """Return the shares once some members are given up; waves may be left empty."""
        return Shares(
            tuple(tuple(tuple(m for m in wave if m not in lost) for wave in waves) for waves in self.waves)
        )

    def rank_of(self, member: int) -> int:
        """Return who holds a member."""
        return next(r for r, waves in enumerate(self.waves) if any(member in wave for wave in waves))


def deal_members(members: int, wave: int | None, ranks: int) -> Shares:
    """Return the members of every rank.

    Parameters
    ----------
    wave
        How many are stepped together, the same ones for any number of ranks; None: all of a rank at once.
    """
    if wave is None:
        ends = [rank * members // ranks for rank in range(ranks + 1)]
        blocks = [(tuple(range(a, b)),) if b > a else () for a, b in pairwise(ends)]
        return Shares(tuple(blocks))
    whole = [tuple(range(k, min(k + wave, members))) for k in range(0, members, wave)]
    ends = [rank * len(whole) // ranks for rank in range(ranks + 1)]
    return Shares(tuple(tuple(whole[a:b]) for a, b in pairwise(ends)))


def evenly(cells: int, ranks: int, block: int = 1) -> Bounds:
    """Return the bounds of ranks that own whole blocks of cells, as many each as it goes."""
    return by_work(np.ones(-(-cells // block)), ranks, block, cells)


def by_work(work: Array, ranks: int, block: int, cells: int) -> Bounds:
    """Return the bounds of ranks that own whole blocks of cells of equal total work.

    Parameters
    ----------
    work
        Of each block, shape ``(blocks,)``, not negative.
    """
    total = np.concatenate([[0.0], np.cumsum(work)])
    if not total[-1] > 0:
        total = np.arange(len(work) + 1, dtype=np.float64)
    shares = total[-1] * np.arange(1, ranks) / ranks
    # the nearer of the two ends between which a share lies
    after = np.clip(np.searchsorted(total, shares), 1, max(len(work), 1))
    nearer = np.where(
        shares - total[after - 1] <= total[np.minimum(after, len(work))] - shares, after - 1, after
    )
    inner = np.minimum(np.maximum.accumulate(nearer) * block, cells) if ranks > 1 else nearer
    return (0, *(int(b) for b in inner), cells)


def bounds_of(grid: Grid, comm: Communicator, filter_: Filter, observations: Observations | None) -> Bounds:
    """Return the bounds of ranks with equal shares of a filter's work, where it weighs that; collective.

    Parameters
    ----------
    observations
        None: as many cells each.
    """
    block = int(getattr(getattr(filter_, "options", None), "points_per_analysis", 1))
    even = evenly(grid.size, comm.size, block)
    if observations is None or not isinstance(filter_, WeighsWork):
        return even
    # each rank weighs an even part of the blocks
    part = slice(even[comm.rank], even[comm.rank + 1])
    work = filter_.work(grid.lon.reshape(-1)[part], grid.lat.reshape(-1)[part], observations)
    sums = np.add.reduceat(work, np.arange(0, len(work), block)) if len(work) else work
    every = np.concatenate(comm.allgather_array(np.asarray(sums, dtype=np.float64)))
    return by_work(every, comm.size, block, grid.size)


def layout_of(grid: Grid, comm: Communicator, bounds: Bounds) -> Layout:
    """Return the layout in which each rank owns the cells between its bounds; collective."""
    return Layout(grid, comm, np.arange(bounds[comm.rank], bounds[comm.rank + 1], dtype=np.int64))


def shared_layout(grid: Grid, comm: Communicator, filter_: Filter, observations: Observations) -> Layout:
    """Return the layout that gives every rank an equal share of a filter's work; collective."""
    return layout_of(grid, comm, bounds_of(grid, comm, filter_, observations))


def observation_bounds(m: int, block: int, comm: Communicator) -> Bounds:
    """Return the bounds of ranks that own whole blocks of observations."""
    blocks = owned_blocks(m, block, comm)
    last = min(blocks.stop * block, m)
    return (0, *(int(end) for end in comm.allgather(last)))
