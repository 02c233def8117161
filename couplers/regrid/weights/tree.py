"""Which boxes touch: a tree of boxes within boxes about the cells of a grid.

Cells are sorted along Morton's curve (1966), groups of `FAN` neighbours get a box about them, groups of
groups another one, up to a single box. A query walks down from there wherever boxes touch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Single: TypeAlias = NDArray[np.float32]
    Box: TypeAlias = Array | Single

FAN = 4
"""Boxes in a box."""
DIGIT = 11
"""Bits of each coordinate on Morton's curve, and of each pass of the sort along it."""
SLACK = 1e-9
"""Added to boxes so that rounding loses no pair."""
ROUNDING = 1.2e-7
"""Boxes are kept in single precision, this much wider: no pair is lost, a few that nearly touch come too."""
GROUP = 16
"""Queries for which the tree is walked together."""
NOWHERE = np.zeros(0, dtype=np.int64)
MOST = 1 << 20
"""Pairs that are handed on at a time where memory is to stay bounded."""


class _Nodes(NamedTuple):
    """Boxes ``(nodes, 6)`` of all levels, where each begins and the last ends, the numbers at the bottom."""

    boxes: Single
    starts: Index
    order: Index


@dataclass(frozen=True, eq=False)
class BoxTree:
    """Boxes to be asked which of them touch others; make one with `over`."""

    nodes: _Nodes

    @classmethod
    def over(cls, low: Box, high: Box) -> BoxTree:
        """Return the tree over boxes from `low` to `high`, each ``(n, 3)``."""
        boxes = _rounded(low, high)
        order, starts = _along_curve(boxes), _levels(len(boxes))
        return cls(_Nodes(_grouped(boxes, order, starts), starts, order))

    def counts(self, low: Box, high: Box) -> Index:
        """Return how many boxes of the tree each box from `low` to `high` touches, shape ``(queries,)``."""
        return self._search(_rounded(low, high), NOWHERE, NOWHERE)

    def pairs(self, low: Box, high: Box) -> tuple[Index, Index]:
        """Return all pairs that touch: numbers of queries, ascending, and of boxes, ascending in each query.

        Parameters
        ----------
        low, high
            Boxes to ask about, each ``(queries, 3)``. What is found for one does not depend on the others.
        """
        return self._found(_rounded(low, high), self.counts(low, high))

    def chunks(self, low: Box, high: Box, most: int = MOST) -> Iterator[tuple[Index, Index]]:
        """Yield what `pairs` returns in pieces of whole queries with at most `most` pairs (or one query)."""
        queries, counts = _rounded(low, high), self.counts(low, high)
        ends = np.cumsum(counts)
        start = 0
        while start < len(ends):
            before = ends[start] - counts[start]
            stop = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
            i, j = self._found(queries[start:stop], counts[start:stop])
            yield i + start, j
            start = stop

    def _found(self, queries: Single, counts: Index) -> tuple[Index, Index]:
        ends = np.cumsum(counts)
        out = np.empty(counts.sum(), dtype=np.int64)
        self._search(queries, ends - counts, out)
        return np.repeat(np.arange(len(queries)), counts), out

    def _search(self, queries: Single, places: Index, out: Index) -> Index:
        return _search(self.nodes, queries, _along_curve(queries), places, out)


def boxes_around(corners: Array) -> tuple[Single, Single]:
    """Return the lows and highs, each ``(n, 3)``, of boxes that hold spherical polygons ``(n, nv, 3)``."""
    out = _around(np.ascontiguousarray(corners, dtype=np.float64))
    return out[:, :3], out[:, 3:]


def boxes_at(points: Array) -> tuple[Array, Array]:
    """Return lows and highs of boxes that hold points ``(n, 3)``, wide enough for their rounding."""
    return points - SLACK, points + SLACK


def _rounded(low: Box, high: Box) -> Single:
    """Return lows and highs side by side ``(n, 6)``; what is in double precision becomes a little wider."""
    slack = 0.0 if low.dtype == np.float32 else ROUNDING
    out = np.empty((len(low), 6), dtype=np.float32)
    out[:, :3], out[:, 3:] = low - slack, high + slack
    return out


def _along_curve(boxes: Single) -> Index:
    return _sorted_by(_morton(boxes)) if len(boxes) else NOWHERE


def _levels(n: int) -> Index:
    sizes = [n]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // FAN))
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


@compiled
def _around(corners: Array) -> Single:
    """Boxes of polygons: their corners', and the rise of the sphere above the chords between them.

    With all corners within a chord r of the unit vector c, points q between them have q·c >= 1 - r²/2, so
    the sphere is at most r²/2 further out.
    """
    n, nv = corners.shape[0], corners.shape[1]
    out = np.empty((n, 6), dtype=np.float32)
    c = np.empty(3)
    for i in range(n):
        length = 0.0
        for x in range(3):
            c[x] = 0.0
            for k in range(nv):
                c[x] += corners[i, k, x]
            length += c[x] * c[x]
        length = np.sqrt(length)
        least = 1.0
        for k in range(nv):
            along = 0.0
            for x in range(3):
                along += corners[i, k, x] * c[x]
            least = min(least, along / length if length > 0.0 else 0.0)
        margin = 1.0 - least + 1e-9 + 1.2e-7
        for x in range(3):
            low = high = corners[i, 0, x]
            for k in range(1, nv):
                low, high = min(low, corners[i, k, x]), max(high, corners[i, k, x])
            out[i, x], out[i, 3 + x] = low - margin, high + margin
    return out


@compiled
def _morton(boxes: Single) -> Index:
    """Places of the middles of boxes on Morton's curve: the bits of the coordinates taken in turn."""
    n = boxes.shape[0]
    code = np.zeros(n, dtype=np.int64)
    for x in range(3):
        low = high = boxes[0, x] + boxes[0, 3 + x]
        for i in range(n):
            middle = boxes[i, x] + boxes[i, 3 + x]
            low, high = min(low, middle), max(high, middle)
        scale = (2**DIGIT - 1) / (high - low) if high > low else 0.0
        for i in range(n):
            place = np.int64((boxes[i, x] + boxes[i, 3 + x] - low) * scale)
            for bit in range(DIGIT):
                code[i] |= ((place >> bit) & 1) << (3 * bit + x)
    return code


@compiled
def _sorted_by(code: Index) -> Index:
    """Stable order of codes of three digits, one counting sort after the other."""
    n = len(code)
    order, other = np.arange(n), np.empty(n, dtype=np.int64)
    for shift in range(0, 3 * DIGIT, DIGIT):
        place = np.zeros(2**DIGIT + 1, dtype=np.int64)
        for i in range(n):
            place[((code[i] >> shift) & (2**DIGIT - 1)) + 1] += 1
        for d in range(2**DIGIT):
            place[d + 1] += place[d]
        for k in range(n):
            digit = (code[order[k]] >> shift) & (2**DIGIT - 1)
            other[place[digit]] = order[k]
            place[digit] += 1
        order, other = other, order
    return order


@compiled
def _grouped(boxes: Single, order: Index, starts: Index) -> Single:
    """Boxes in their order, then the box of each group, level by level."""
    out = np.empty((starts[-1], 6), dtype=np.float32)
    for k in range(len(order)):
        for x in range(6):
            out[k, x] = boxes[order[k], x]
    for level in range(1, len(starts) - 1):
        start, below, end = starts[level], starts[level - 1], starts[level]
        for k in range(starts[level + 1] - start):
            first = below + k * FAN
            for x in range(6):
                out[start + k, x] = out[first, x]
            for member in range(first + 1, min(end, first + FAN)):
                for x in range(3):
                    out[start + k, x] = min(out[start + k, x], out[member, x])
                    out[start + k, 3 + x] = max(out[start + k, 3 + x], out[member, 3 + x])
    return out


@compiled
def _touch(a: Single, i: int, b: Single, j: int) -> bool:
    """Whether box i of a touches box j of b."""
    x = (a[i, 0] <= b[j, 3]) & (b[j, 0] <= a[i, 3])
    y = (a[i, 1] <= b[j, 4]) & (b[j, 1] <= a[i, 4])
    z = (a[i, 2] <= b[j, 5]) & (b[j, 2] <= a[i, 5])
    return bool(x & y & z)


@compiled
def _under(tree: _Nodes, box: Single, found: Index) -> int:
    """Places of the boxes at the bottom that touch the one of `box`, as many as `found` has room for."""
    nodes, starts = tree.boxes, tree.starts
    top = len(starts) - 2
    level, k, count = top, 0, 0
    while starts[level] + k < starts[level + 1]:
        if _touch(nodes, starts[level] + k, box, 0):
            if level > 0:
                level, k = level - 1, k * FAN
                continue
            if count < len(found):
                found[count] = k
            count += 1
        k += 1
        # behind the last one of a group: on to what follows the group
        while level < top and (k % FAN == 0 or starts[level] + k == starts[level + 1]):
            level, k = level + 1, (k + FAN - 1) // FAN
    return count


@compiled
def _sort(values: Index, start: int, stop: int) -> None:
    """Sort a part in place (Shell, 1959, doi 10.1145/368370.368387): quick for a few, not slow for many."""
    gap = 1
    while gap < (stop - start) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(start + gap, stop):
            value, k = values[i], i
            while k >= start + gap and values[k - gap] > value:
                values[k] = values[k - gap]
                k -= gap
            values[k] = value
        gap //= 3


@compiled
def _put_about(box: Single, queries: Single, members: Index) -> None:
    """Set the first of `box` to the box about some queries."""
    for x in range(6):
        box[0, x] = queries[members[0], x]
    for i in members[1:]:
        for x in range(3):
            box[0, x] = min(box[0, x], queries[i, x])
            box[0, 3 + x] = max(box[0, 3 + x], queries[i, 3 + x])


@compiled
def _search(tree: _Nodes, queries: Single, along: Index, places: Index, out: Index) -> Index:
    """Count the boxes that each query touches; put them at its place in `out` unless that is empty.

    Queries are taken in groups along the curve: the tree is walked once for the box about a group, and what
    is found is held against each of the group.
    """
    counts = np.zeros(len(queries), dtype=np.int64)
    found, near = np.empty(0, dtype=np.int64), np.empty((0, 6), dtype=np.float32)
    about = np.empty((1, 6), dtype=np.float32)
    for first in range(0, len(along), GROUP):
        members = along[first : first + GROUP]
        _put_about(about, queries, members)
        n = _under(tree, about, found)
        if n > len(found):
            found, near = np.empty(2 * n, dtype=np.int64), np.empty((2 * n, 6), dtype=np.float32)
            _under(tree, about, found)
        for k in range(n):
            for x in range(6):
                near[k, x] = tree.boxes[found[k], x]
            found[k] = tree.order[found[k]]
        for i in members:
            for k in range(n):
                if _touch(queries, i, near, k):
                    if len(out):
                        out[places[i] + counts[i]] = found[k]
                    counts[i] += 1
            if len(out):
                _sort(out, places[i], places[i] + counts[i])
    return counts
