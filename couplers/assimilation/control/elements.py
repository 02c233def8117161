"""Elements: which cells of a field change together, and where an element lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.assimilation.control.clusters import Clusters, cluster_keys, place
from tradewind.couplers.assimilation.places import Distance
from tradewind.couplers.grids import GridKind, sphere
from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Labels: TypeAlias = NDArray[np.int64]

Name: TypeAlias = "Callable[[int], str]"
NONE = -1
"""Label of a cell that belongs to no element."""
EDGE = 1e-9
"""Fraction of a tile by which a centre may miss its lower edge through rounding."""
POLE = 90.0 - 1e-6


class Per(StrEnum):
    """What one element of the control changes.

    Attributes
    ----------
    SITE
        The cells of one place: of a grid of points, those with the same coordinates.
    """

    CELL = "cell"
    CLUSTER = "cluster"
    REGION = "region"
    SITE = "site"
    TOTAL = "total"

    @property
    def by_level(self) -> bool:
        """Whether every level of a field has elements of its own; else all levels share one."""
        return self in {Per.CELL, Per.SITE}


@dataclass(frozen=True)
class Clustering:
    """How the cells that can change are joined to elements.

    Attributes
    ----------
    tile
        For clusters: side in degrees of square tiles, whose edges are multiples of it from 90 S and 0 E.
        All such cells whose centre lies in one tile are one element, ordered from south to north,
        then eastwards from Greenwich.
    regions
        For regions: an integer for every cell of the grid, in any shape of its size; negative where a
        cell belongs to none. Elements are ordered by it.
    names
        Of the regions, one for each label from 0 on; or of the elements of a field that belongs to no place,
        one for each of its numbers. Empty: they are counted.
    clusters
        For clusters: means of cells in place of tiles.
    exclude_edge
        Cells whose centres lie nearer than so many degrees to the edge of their grid belong to no element.

    Raises
    ------
    ConfigError
        A tile that is not in (0, 180], or regions that are wanted and not given.
    """

    per: Per = Per.CLUSTER
    tile: float = 2.0
    regions: ArrayLike | None = None
    names: tuple[str, ...] = ()
    clusters: Clusters | None = None
    exclude_edge: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.tile <= 180:
            raise ConfigError(f"tile is {self.tile} degrees", where="control", hint="between 0 and 180")
        if self.clusters is not None and self.per is not Per.CLUSTER:
            raise ConfigError("clusters are described, and not used", where="control", hint="per: cluster")
        if self.per is Per.REGION and self.regions is None:
            raise ConfigError("no regions are given", where="control", hint="give a label for every cell")

    @property
    def selects(self) -> bool:
        """Whether it may leave out cells that could change."""
        return self.per is Per.REGION or self.clusters is not None or self.exclude_edge > 0


@dataclass(frozen=True)
class Elements:
    """Elements of a grid's cells; those of one level where a field has levels.

    Attributes
    ----------
    labels
        Element of every cell of the grid, int64, shape ``(n_global,)``; -1 for none.
    keys, name
        What each element is, shape ``(n,)``, and how that is said in words.
    weights
        How much each cell counts for the centre of its element, shape ``(n_global,)``; zero outside.
    grid
        None where the field belongs to no place.
    """

    labels: Labels
    keys: Labels
    name: Name
    weights: Array
    grid: Grid | None

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """One for each element; a million of them take seconds, so they wait until they are asked for."""
        return tuple(self.name(key) for key in self.keys.tolist())

    def positions(self, distance: Distance) -> Array:
        """Return the centres as points of `places.positions`, shape ``(n, 2 or 3)``.

        Raises
        ------
        DataError
            When an element has no centre to measure from: it surrounds the globe, or belongs to no place.
        """
        if self.grid is None:
            hint = "leave out its correlation"
            raise DataError("a field without a grid has no distances", where="control", hint=hint)
        if distance is Distance.PLANE:
            return self._mean(np.stack([self.grid.lon, self.grid.lat], axis=-1), divide=True)
        mean = self._mean(self.grid.centres, divide=False)
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        if (length < EDGE).any():
            name = self.name(int(self.keys[np.argmin(length)]))
            hint = "leave out its correlation length, or cut it into smaller elements"
            raise DataError(f"{name} surrounds the globe and has no centre", where="control", hint=hint)
        centres: Array = mean / length
        return centres

    @property
    def places(self) -> tuple[Array, Array]:
        """Longitude and latitude of every centre, degrees, shape ``(n,)``; NaN where there is none."""
        if self.grid is None or self.name is _total:
            return np.full(len(self), np.nan), np.full(len(self), np.nan)
        mean = self._mean(self.grid.centres, divide=False)
        lon, lat = sphere.lon_lat(mean)
        single = np.bincount(self.labels[self.labels >= 0], minlength=len(self)) == 1
        cell = np.zeros(len(self), dtype=np.int64)
        inside = np.flatnonzero(self.labels >= 0)
        cell[self.labels[inside]] = inside
        lost = np.linalg.norm(mean, axis=1) < EDGE
        lon = np.where(single, self.grid.lon[cell], np.where(lost, np.nan, lon))
        return lon, np.where(single, self.grid.lat[cell], np.where(lost, np.nan, lat))

    def _mean(self, points: Array, *, divide: bool) -> Array:
        """Return the weighted sum of points over every element, weights relative to the largest in it."""
        largest = np.zeros(len(self) + 1)  # label -1 is the last
        np.maximum.at(largest, self.labels, self.weights)
        most = largest[self.labels]
        weights = np.divide(self.weights, most, out=np.zeros_like(self.weights), where=self.weights > 0)
        sums = sum_matrix(self.labels, len(self))
        total: Array = sums @ (weights[:, None] * points)
        return total / (sums @ weights)[:, None] if divide else total


def find_elements(grid: Grid | None, able: Flags, clustering: Clustering, weights: Array) -> Elements:
    """Return the elements of the cells that can change.

    Parameters
    ----------
    able
        Which cells can change, shape ``(n_global,)``.
    weights
        How much each counts for its element's centre, shape ``(n_global,)``.

    Raises
    ------
    DataError
        Regions of the wrong size or with fractions; no cell is left.
    """
    if grid is not None and clustering.exclude_edge:
        able = able & ~near_edge(grid, clustering.exclude_edge)
    keys, name = _unplaced(able, clustering) if grid is None else _keys(grid, able, clustering)
    keys = np.where(able, keys, NONE)
    if not (keys >= 0).any():
        raise DataError("no region holds a cell that can change", where="control", hint="check the labels")
    found, inverse = np.unique(keys[keys >= 0], return_inverse=True)
    labels = np.full(len(able), NONE, dtype=np.int64)
    labels[keys >= 0] = inverse
    return Elements(labels, found, name, np.where(labels >= 0, weights, 0.0), grid)


def near_edge(grid: Grid, degrees: float) -> Flags:
    """Return which centres lie nearer than so many degrees to the edge of their grid, ``(n_global,)``.

    Poles are no edge, nor are the sides of a grid that goes around the globe.

    Raises
    ------
    DataError
        A grid without rows and columns, or of which nothing is left.
    """
    if grid.kind is not GridKind.LATLON or not grid.has_corners:
        hint = "only rows and columns of latitude and longitude have one here; name a region instead"
        raise DataError(f"the edge of a {grid} is not known", where="exclude_edge", hint=hint)
    rows = np.asarray(grid.lat_corners)
    south, north = (edge for edge in (rows.min(), rows.max()))
    near = (grid.lat - south < degrees) & (south > -POLE) | (north - grid.lat < degrees) & (north < POLE)
    if not grid.periodic:
        columns = np.asarray(grid.lon_corners)
        west, east = columns.min(), columns.max()
        near |= (grid.lon - west < degrees) | (east - grid.lon < degrees)
    if near.all():
        raise DataError(
            f"{degrees:g} degrees from its edge nothing of the {grid} is left", where="exclude_edge"
        )
    return np.asarray(near)


def sum_matrix(labels: Labels, n: int) -> sparse.csr_array:
    """Return the matrix ``(n, cells)`` of ones that adds up the cells of each label, in their order."""
    inside = np.flatnonzero(labels >= 0)
    by_label = inside[np.argsort(labels[inside], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels[inside], minlength=n))])
    return sparse.csr_array((np.ones(len(by_label)), by_label, starts), shape=(n, len(labels)))


def _unplaced(able: Flags, clustering: Clustering) -> tuple[Labels, Name]:
    """Return keys and names where there are no places: an element each, or one for all."""
    if clustering.per not in {Per.CELL, Per.SITE, Per.TOTAL}:
        what = f"a field without a grid has no {clustering.per}s"
        raise DataError(what, where="control", hint="per: cell or per: total")
    return np.zeros(len(able), dtype=np.int64), _total


def _keys(grid: Grid, able: Flags, clustering: Clustering) -> tuple[Labels, Name]:
    """Return a sortable key for every cell (negative: no element), and what names a key."""
    if clustering.clusters is not None:
        return cluster_keys(grid, able, clustering.clusters)
    if clustering.per is Per.CLUSTER:
        return _tiles(grid, clustering.tile)
    if clustering.per is Per.REGION:
        names = clustering.names
        return _regions(grid, clustering.regions), lambda key: names[key] if names else f"region {key}"
    if clustering.per is Per.TOTAL:
        return np.zeros(grid.size, dtype=np.int64), _total
    cells = np.arange(grid.size) if clustering.per is Per.CELL else _sites(grid)
    return cells, lambda cell: place(grid.lat[cell], grid.lon[cell])


def _total(key: int) -> str:
    return "total"


def _sites(grid: Grid) -> Labels:
    """Return the first cell at the place of each."""
    where = np.stack([grid.lon % 360.0, grid.lat], axis=-1)
    _, first, inverse = np.unique(where, axis=0, return_index=True, return_inverse=True)
    return first[inverse.reshape(-1)].astype(np.int64)


def _tiles(grid: Grid, tile: float) -> tuple[Labels, Name]:
    columns = int(np.ceil(360.0 / tile - EDGE))
    row = np.floor((grid.lat + 90.0) / tile + EDGE).astype(np.int64)
    column = np.floor((grid.lon % 360.0) / tile + EDGE).astype(np.int64) % columns

    def name(key: int) -> str:
        r, c = divmod(key, columns)
        return "tile " + place(r * tile - 90.0, c * tile)

    return row * columns + column, name


def _regions(grid: Grid, regions: ArrayLike | None) -> Labels:
    labels = np.asarray(regions).reshape(-1)
    if labels.size != grid.size:
        raise DataError(f"{labels.size} labels for {grid.size} cells", where="control, regions")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels are {labels.dtype}", where="control, regions", hint="give integers")
    return labels.astype(np.int64)
