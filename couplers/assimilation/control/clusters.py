"""Clusters of cells: means of a region of interest, and a buffer around it.

k-means on the sphere (Lloyd, 1982, doi:10.1109/TIT.1982.1056489): cells count with their areas, distances
are along great circles, so that neither latitude nor the date line matters. It begins as k-means++ does
(Arthur and Vassilvitskii, 2007) with numbers of its seed, and adds in the order of the cells: the same bits
everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Labels: TypeAlias = NDArray[np.int64]

ROUNDS = 100
BLOCK = 2**22
"""Distances that are held at a time."""


@dataclass(frozen=True)
class Clusters:
    """Which elements a region of interest has, and what is around it.

    Attributes
    ----------
    count
        Clusters inside; None: every cell is an element.
    buffer
        Clusters outside; 0: what is outside keeps its prior.
    inside
        Which cells are of interest, shape ``(n_global,)``; None: all are.
    seed
        Of the first centres.

    Raises
    ------
    ConfigError
        Counts that are not positive, or a buffer around everything.
    """

    count: int | None = None
    buffer: int = 0
    inside: Flags | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.count is not None and self.count < 1) or self.buffer < 0:
            raise ConfigError(f"{self.count} clusters and a buffer of {self.buffer}", where="clusters")
        if self.buffer and self.inside is None:
            hint = "give the region of interest, or no buffer"
            raise ConfigError("a buffer lies around a region, and there is none", where="clusters", hint=hint)


def cluster_keys(grid: Grid, able: Flags, clusters: Clusters) -> tuple[Labels, Callable[[int], str]]:
    """Return a key for every cell, negative where it has no element, and what names a key.

    Keys are ordered: what is inside first, cells by their number and clusters by their first cell, then the
    buffer.

    Raises
    ------
    DataError
        A region of interest of another size, or in which no cell can change; fewer cells than clusters.
    """
    inside = _inside(grid, able, clusters)
    keys = np.full(grid.size, -1, dtype=np.int64)
    cells = np.flatnonzero(inside)
    keys[cells] = (
        cells if clusters.count is None else grid.size + _means(grid, cells, clusters.count, clusters)
    )
    if clusters.buffer:
        around = np.flatnonzero(able & ~inside)
        keys[around] = 2 * grid.size + _means(grid, around, clusters.buffer, clusters)
    return keys, _namer(grid)


def _inside(grid: Grid, able: Flags, clusters: Clusters) -> Flags:
    wanted = np.ones(grid.size, dtype=bool) if clusters.inside is None else np.asarray(clusters.inside)
    if wanted.shape != (grid.size,):
        raise DataError(f"{wanted.size} flags for {grid.size} cells", where="clusters, inside")
    if not (wanted & able).any():
        hint = "cells of prior zero cannot be scaled, and those near the edge may be excluded"
        raise DataError("the region of interest holds no cell that can change", where="clusters", hint=hint)
    return np.asarray(wanted & able)


def _means(grid: Grid, cells: Labels, count: int, clusters: Clusters) -> Labels:
    if len(cells) < count:
        where = "clusters, buffer" if count == clusters.buffer else "clusters, count"
        raise DataError(f"{count} clusters are wanted of {len(cells)} cells that can change", where=where)
    known = grid.has_corners or grid.given_area is not None
    areas = grid.area[cells] if known else np.ones(len(cells))
    return sphere_means(grid.centres[cells], areas, count, clusters.seed)


def _namer(grid: Grid) -> Callable[[int], str]:
    def name(key: int) -> str:
        kind, number = divmod(key, grid.size)
        if kind == 0:
            return place(grid.lat[number], grid.lon[number])
        return f"{'cluster' if kind == 1 else 'buffer'} {number + 1}"

    return name


def sphere_means(points: Array, weights: Array, count: int, seed: int = 0) -> Labels:
    """Return the cluster of each point, numbered by their first points, shape ``(n,)``.

    Parameters
    ----------
    points
        Unit vectors, shape ``(n, 3)``, at least `count` different ones.
    weights
        How much each counts, shape ``(n,)``, positive.

    Raises
    ------
    DataError
        Fewer different points than clusters.
    """
    centres = _first_centres(points, weights, count, seed)
    labels = _nearest(points, centres)
    for _ in range(ROUNDS):
        centres = _centres(points, weights, labels, count)
        before, labels = labels, _nearest(points, centres)
        if (labels == before).all():
            break
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    return np.asarray(order[numbers.reshape(-1)])


def _first_centres(points: Array, weights: Array, count: int, seed: int) -> Array:
    """Return points drawn one after the other, each by its weight and squared distance to those before."""
    draws = np.random.Generator(np.random.PCG64(seed)).random(count)
    chances, chosen = weights, list[int]()
    for draw in draws.tolist():
        sums = np.cumsum(chances)
        if not sums[-1] > 0:
            what = f"{count} clusters are wanted of {len(chosen)} different places"
            raise DataError(what, where="clusters")
        chosen.append(min(int(np.searchsorted(sums, draw * sums[-1], side="right")), len(points) - 1))
        apart = _squared(points, points[chosen[-1]]) * weights
        chances = apart if len(chosen) == 1 else np.minimum(chances, apart)
    return points[chosen]


def _squared(points: Array, centres: Array) -> Array:
    x, y, z = (points - centres).T
    return np.asarray(x * x + y * y + z * z)


def _nearest(points: Array, centres: Array) -> Labels:
    """Return the nearest centre of each point, the first of those that are equally near."""
    out = np.empty(len(points), dtype=np.int64)
    rows = max(1, BLOCK // len(centres))
    for begin in range(0, len(points), rows):
        some = points[begin : begin + rows]
        # by hand: a matrix product is summed in an order of the library's own
        near = sum(some[:, k, None] * centres[None, :, k] for k in range(3))
        out[begin : begin + rows] = np.argmax(near, axis=1)
    return out


def _centres(points: Array, weights: Array, labels: Labels, count: int) -> Array:
    """Return the mean directions; a cluster that has lost all its points takes the most distant one."""
    centres = np.empty((count, 3))
    for k in range(3):
        centres[:, k] = np.bincount(labels, weights * points[:, k], minlength=count)
    length = np.sqrt(_squared(centres, np.zeros(3)))
    empty = np.flatnonzero(length <= 0)
    centres /= np.where(length > 0, length, 1.0)[:, None]
    if len(empty):
        away = np.argsort(-weights * _squared(points, centres[labels]), kind="stable")
        centres[empty] = points[away[: len(empty)]]
    return centres


def place(lat: float, lon: float) -> str:
    """Return a place in words, such as ``0.5N 102.5W``."""
    east = (lon + 180.0) % 360.0 - 180.0
    return f"{abs(lat):g}{'S' if lat < 0 else 'N'} {abs(east):g}{'W' if east < 0 else 'E'}"
