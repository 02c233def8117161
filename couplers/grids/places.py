"""Where the cells of a grid lie: listed cell by cell, or as the product of two axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

BLOCK = 1 << 18
"""Cells looked at together where a whole grid is walked through: keeps intermediate arrays below 100 MB."""


class GridKind(StrEnum):
    """How the cells of a grid are arranged."""

    LATLON = "latlon"
    CURVILINEAR = "curvilinear"
    MESH = "mesh"
    POINTS = "points"


class Places(Protocol):
    """Centres and corners in degrees, whole or of some cells."""

    @property
    def lon(self) -> Array:
        """Longitudes of the centres, shape ``(size,)``."""

    @property
    def lat(self) -> Array:
        """Latitudes of the centres, shape ``(size,)``."""

    @property
    def n_corners(self) -> int:
        """Corners a cell, 0 where none are known."""

    @property
    def parts(self) -> tuple[Array | None, ...]:
        """Arrays that decide on everything here, for fingerprints."""

    def angles_of(self, cells: Index | slice) -> tuple[Array, Array]:
        """Return longitudes and latitudes of the corners of some cells, shape ``(cells, nv)`` each."""

    def corners_of(self, cells: Index | slice) -> Array:
        """Return unit vectors of the corners of some cells, shape ``(cells, nv, 3)``."""


class Parts(NamedTuple):
    """What a `Grid` is made of; its attributes in their order."""

    kind: GridKind
    shape: tuple[int, ...]
    places: Places
    mask: NDArray[np.bool_]
    given_area: Array | None
    dims: tuple[str, ...]
    area_note: str = ""


@dataclass(frozen=True, eq=False)
class Listed:
    """Every centre and, if known, every corner in arrays of their own."""

    lon: Array
    lat: Array
    lon_corners: Array | None = None
    lat_corners: Array | None = None

    @property
    def n_corners(self) -> int:
        """Corners a cell, 0 where none are known."""
        return 0 if self.lon_corners is None else self.lon_corners.shape[1]

    @property
    def parts(self) -> tuple[Array | None, ...]:
        """Arrays that decide on everything here, for fingerprints."""
        return self.lon, self.lat, self.lon_corners, self.lat_corners

    def angles_of(self, cells: Index | slice) -> tuple[Array, Array]:
        """Return longitudes and latitudes of the corners of some cells, shape ``(cells, nv)`` each."""
        return np.asarray(self.lon_corners)[cells], np.asarray(self.lat_corners)[cells]

    def corners_of(self, cells: Index | slice) -> Array:
        """Return unit vectors of the corners of some cells, shape ``(cells, nv, 3)``."""
        return sphere.unit_vectors(*self.angles_of(cells))


@dataclass(frozen=True, eq=False)
class Axes:
    """Rows along parallels and columns along meridians: centres and edges of both axes, in degrees.

    Corners are made when asked for, so that a grid of ten million cells costs two axes.
    """

    x: Array
    y: Array
    x_edges: Array
    y_edges: Array

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.x) * len(self.y)

    @cached_property
    def lon(self) -> Array:
        """Longitudes of the centres, shape ``(size,)``."""
        return np.tile(self.x, len(self.y))

    @cached_property
    def lat(self) -> Array:
        """Latitudes of the centres, shape ``(size,)``."""
        return np.repeat(self.y, len(self.x))

    @property
    def n_corners(self) -> int:
        """Corners a cell."""
        return 4

    @property
    def parts(self) -> tuple[Array | None, ...]:
        """Arrays that decide on everything here, for fingerprints."""
        return self.x, self.y, self.x_edges, self.y_edges

    def angles_of(self, cells: Index | slice) -> tuple[Array, Array]:
        """Return longitudes and latitudes of the corners of some cells, shape ``(cells, 4)`` each."""
        columns, rows = self._edges_of(cells)
        return self.x_edges[columns], self.y_edges[rows]

    def corners_of(self, cells: Index | slice) -> Array:
        """Return unit vectors of the corners of some cells, shape ``(cells, 4, 3)``."""
        from tradewind.couplers.grids import polygons

        around = np.stack(self._around, axis=-1)
        return np.asarray(polygons.boxes(self._numbers(cells), self._columns, self._rows, around))

    def _edges_of(self, cells: Index | slice) -> tuple[Index, Index]:
        row, column = np.divmod(self._numbers(cells), len(self.x))
        right, up = self._around
        return column[:, None] + right, row[:, None] + up

    def _numbers(self, cells: Index | slice) -> Index:
        if isinstance(cells, slice):
            return np.arange(*cells.indices(self.size))
        return np.flatnonzero(cells) if cells.dtype == bool else np.asarray(cells)

    @cached_property
    def _around(self) -> tuple[Index, Index]:
        """Steps from a cell's first edges to its corners, counter-clockwise seen from outside."""
        right, up = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
        same = (self.x_edges[-1] > self.x_edges[0]) == (self.y_edges[-1] > self.y_edges[0])
        return (right, up) if same else (right[::-1], up[::-1])

    # sphere.unit_vectors of a node is the product of these, in the same order of operations
    @cached_property
    def _columns(self) -> Array:
        return sphere.unit_vectors(self.x_edges, np.zeros_like(self.x_edges))

    @cached_property
    def _rows(self) -> Array:
        return sphere.unit_vectors(np.zeros_like(self.y_edges), self.y_edges)


def blocks(size: int) -> Iterator[slice]:
    """Yield slices that cover `size` cells in order."""
    return (slice(start, min(start + BLOCK, size)) for start in range(0, size, BLOCK))


def every_corner(places: Places, size: int) -> Array:
    """Return unit vectors of all corners, shape ``(size, nv, 3)``, without copies of that size."""
    out = np.empty((size, places.n_corners, 3))
    for part in blocks(size):
        out[part] = places.corners_of(part)
    return out


def polygon_areas(places: Places, size: int) -> Array:
    """Return signed areas in steradian of all cells, shape ``(size,)``."""
    out = np.empty(size)
    for part in blocks(size):
        out[part] = sphere.polygon_areas(places.corners_of(part))
    return out
