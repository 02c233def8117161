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
"""Queries for which the tree is walked together, and how many times wider than one of them they may be."""
NOTHING = np.zeros(0, dtype=np.int64)
MOST = 1 << 20
"""Pairs that are handed on at a time where memory is to stay bounded."""


class _Nodes(NamedTuple):
    """Boxes ``(nodes, 6)`` of all levels, where each begins and the last ends; numbers at the bottom.

    And the mean extent of the boxes at the bottom.
    """

    boxes: Single
    starts: Index
    order: Index
    extent: float


@dataclass(frozen=True, eq=False)
class BoxTree:
    """Boxes to be asked which of them touch others; make one with `over`."""

    nodes: _Nodes

    @classmethod
    def over(cls, low: Box, high: Box) -> BoxTree:
        """Return the tree over boxes from `low` to `high`, each ``(n, 3)``."""
        boxes = _rounded(low, high)
        order, starts = _along_curve(boxes), _levels(len(boxes))
        extent = float((boxes[:, 3:] - boxes[:, :3]).sum() / max(len(boxes), 1))
        return cls(_Nodes(_grouped(boxes, order, starts), starts, order, extent))

    def pairs(self, low: Box, high: Box) -> tuple[Index, Index]:
        """Return all pairs that touch: numbers of queries, ascending, and of boxes, ascending in each query.

        Parameters
        ----------
        low, high
            Boxes to ask about, each ``(queries, 3)``. What is found for one does not depend on the others;
            it is quick where those that follow each other are near to each other.
        """
        i, j = zip((NOTHING, NOTHING), *self.chunks(low, high), strict=True)
        return np.concatenate(i), np.concatenate(j)

    def chunks(self, low: Box, high: Box, most: int = MOST) -> Iterator[tuple[Index, Index]]:
        """Yield what `pairs` returns in pieces of whole queries with at most `most` pairs (or one query)."""
        queries, start = _rounded(low, high), 0
        while start < len(queries) and len(self.nodes.order):
            counts, found = _search(self.nodes, queries, start, most)
            yield np.repeat(np.arange(start, start + len(counts)), counts), found
            start += len(counts)


def boxes_around(corners: Array) -> tuple[Single, Single]:
    """Return the lows and highs, each ``(n, 3)``, of boxes that hold spherical polygons ``(n, nv, 3)``."""
    out = _around(np.ascontiguousarray(corners, dtype=np.float64))
    return out[:, :3], out[:, 3:]


def boxes_at(points: Array) -> tuple[Array, Array]:
    """Return lows and highs of boxes that hold points ``(n, 3)``, wide enough for their rounding."""
    return points - SLACK, points + SLACK


def _rounded(low: Box, high: Box) -> Single:
    """Return lows and highs side by side ``(n, 6)``; what is in double precision becomes a little wider."""
    out = np.empty((len(low), 6), dtype=np.float32)
    if low.dtype == np.float32:
        out[:, :3], out[:, 3:] = low, high
    else:
        out[:, :3], out[:, 3:] = low - ROUNDING, high + ROUNDING
    return out


def _along_curve(boxes: Single) -> Index:
    return _sorted_by(_morton(boxes)) if len(boxes) else NOTHING


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
def _sort(values: Index, n: int) -> None:
    """Sort the first n in place (Shell, 1959, doi 10.1145/368370.368387): quick for a few hundred."""
    gap = 1
    while gap < n // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(gap, n):
            value, k = values[i], i
            while k >= gap and values[k - gap] > value:
                values[k] = values[k - gap]
                k -= gap
            values[k] = value
        gap //= 3


@compiled
def _extent(box: Single, i: int) -> float:
    """Sum of the three widths of a box."""
    return float(box[i, 3] - box[i, 0] + box[i, 4] - box[i, 1] + box[i, 5] - box[i, 2])


@compiled
def _group(tree: _Nodes, queries: Single, first: int, about: Single) -> int:
    """Put the box about some queries from `first` on, as many as are near, into `about`; return the end."""
    wide = GROUP * (_extent(queries, first) + tree.extent)
    for x in range(6):
        about[0, x] = about[1, x] = queries[first, x]
    for i in range(first + 1, min(len(queries), first + GROUP)):
        for x in range(3):
            about[1, x] = min(about[1, x], queries[i, x])
            about[1, 3 + x] = max(about[1, 3 + x], queries[i, 3 + x])
        if _extent(about, 1) > wide:
            return i
        for x in range(6):
            about[0, x] = about[1, x]
    return min(len(queries), first + GROUP)


@compiled
def _put_near(tree: _Nodes, found: Index, n: int, near: Single) -> None:
    """Turn places at the bottom into numbers of boxes, ascending; put the boxes into `near`."""
    for k in range(n):
        found[k] |= tree.order[found[k]] << 32
    _sort(found, n)
    for k in range(n):
        place = found[k] & 0xFFFFFFFF
        for x in range(6):
            near[k, x] = tree.boxes[place, x]
        found[k] >>= 32


@compiled
def _search(tree: _Nodes, queries: Single, start: int, most: int) -> tuple[Index, Index]:
    """Find how many boxes queries from `start` on touch, and which; as many queries as `most` has room for.

    The tree is walked once for the box about a group of queries that are near to each other, and what is
    found there is held against each of them.
    """
    counts, out = np.zeros(len(queries) - start, dtype=np.int64), np.empty(most, dtype=np.int64)
    found, near = np.empty(0, dtype=np.int64), np.empty((0, 6), dtype=np.float32)
    about = np.empty((2, 6), dtype=np.float32)
    filled, end, n = 0, start, 0
    for i in range(start, len(queries)):
        if i == end:
            end = _group(tree, queries, i, about)
            n = _under(tree, about, found)
            if n > len(found):
                found, near = np.empty(2 * n, dtype=np.int64), np.empty((2 * n, 6), dtype=np.float32)
                _under(tree, about, found)
            _put_near(tree, found, n, near)
        if filled + n >= len(out):
            if i > start:
                return counts[: i - start], out[:filled]
            out = np.empty(n + 1, dtype=np.int64)
        before = filled
        for k in range(n):
            out[filled] = found[k]
            filled += _touch(queries, i, near, k)
        counts[i - start] = filled - before
    return counts, out[:filled]
