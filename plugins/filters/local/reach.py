"""Which observations each point sees, kept for as long as the places stay the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.plugins.filters.local.neighbours import Boxes, Near, Rule, near
from tradewind.plugins.filters.local.points import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

MANY = 4096
"""Points in a block where only neighbours are wanted."""
KEPT = 1 << 22
"""Neighbours that are kept for the next analysis (64 MiB); the others are looked for again."""


class Block(NamedTuple):
    """Some points, the cells that they stand for, and what they see."""

    points: slice
    cells: slice
    near: Near


class Reach:
    """What points see, block by block.

    Parameters
    ----------
    points, boxes
        Who looks, and what may be seen.
    rule
        How far.
    block
        Points that are handed out together.
    """

    def __init__(self, points: Points, boxes: Boxes, rule: Rule, block: int) -> None:
        self.points, self.boxes, self.rule, self.block = points, boxes, rule, block
        self._kept: dict[int, Block] = {}
        self._room = KEPT

    def __iter__(self) -> Iterator[Block]:
        """Yield all points, block by block."""
        for first in range(0, len(self.points), self.block):
            found = self._kept.get(first)
            yield self._sought(first) if found is None else found

    def _sought(self, first: int) -> Block:
        last = min(first + self.block, len(self.points))
        groups = self.points.groups[first : last + 1]
        places = self.points.places[groups[0] : groups[-1]]
        seen = near(places, groups - groups[0], self.boxes, self.rule)
        found = Block(slice(first, last), self.points.cells(first, last), seen)
        if len(seen.index) <= self._room:
            self._room -= len(seen.index)
            self._kept[first] = found
        return found


def counts(reach: Reach) -> Array:
    """Return how many observations each point sees, shape ``(points,)``."""
    found = [np.diff(block.near.starts) for block in reach]
    return np.concatenate([np.zeros(0), *found])
