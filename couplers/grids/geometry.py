"""Cells on the sphere: where they lie, what they cover, which touch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import places, sphere, topology
from tradewind.couplers.grids.places import GridKind, Places
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Geometry:
    """Centres, corners, mask and areas of cells; `Grid` adds the ways to make one.

    All per-cell arrays are flat, in C order of `shape`, in the order in which they were given.

    Attributes
    ----------
    kind
        Arrangement of the cells.
    shape
        ``(ny, nx)`` for rectilinear and curvilinear grids, ``(n,)`` for meshes and points.
    places
        Where the cells lie: `lon`, `lat` and the corners are read from it.
    mask
        True for active cells, shape ``(size,)``.
    given_area
        Areas in steradian brought by the user or a file, or None.
    dims
        Names of the dimensions in files.
    area_note
        Where given areas come from, and the radius by which they were divided, in words.
    """

    kind: GridKind
    shape: tuple[int, ...]
    places: Places
    mask: NDArray[np.bool_]
    given_area: Array | None
    dims: tuple[str, ...]
    area_note: str = ""

    @property
    def lon(self) -> Array:
        """Longitudes of the centres in degrees, shape ``(size,)``."""
        return self.places.lon

    @property
    def lat(self) -> Array:
        """Latitudes of the centres in degrees, shape ``(size,)``."""
        return self.places.lat

    @property
    def has_corners(self) -> bool:
        """Whether corners are known; without them only bilinear and nearest methods work."""
        return self.places.n_corners > 0

    @property
    def lon_corners(self) -> Array | None:
        """Longitudes of the corners in degrees, counter-clockwise, shape ``(size, nv)``, or None.

        Cells with fewer corners repeat the last one.
        """
        return self.places.angles_of(slice(None))[0] if self.has_corners else None

    @property
    def lat_corners(self) -> Array | None:
        """Latitudes of the corners, as `lon_corners`."""
        return self.places.angles_of(slice(None))[1] if self.has_corners else None

    def corners_of(self, cells: Index | slice) -> Array:
        """Return unit vectors of the corners of some cells, shape ``(cells, nv, 3)``; nothing is kept.

        Raises
        ------
        GridError
            When the grid has no corners.
        """
        self._refuse_points()
        return self.places.corners_of(cells)

    def _refuse_points(self) -> None:
        if not self.has_corners:
            raise GridError("has no corners", where=repr(self), hint="give them, or use bilinear or nearest")

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape))

    @cached_property
    def centres(self) -> Array:
        """Unit vectors of the centres, shape ``(size, 3)``."""
        return sphere.unit_vectors(self.lon, self.lat)

    @cached_property
    def corners(self) -> Array:
        """Unit vectors of the corners, counter-clockwise, shape ``(size, nv, 3)``.

        Raises
        ------
        GridError
            When the grid has no corners.
        """
        self._refuse_points()
        return places.every_corner(self.places, self.size)

    @cached_property
    def polygon_area(self) -> Array:
        """Areas in steradian of the polygons with great-circle sides, shape ``(size,)``."""
        self._refuse_points()
        return places.polygon_areas(self.places, self.size)

    @property
    def area(self) -> Array:
        """Areas in steradian, shape ``(size,)``: the user's where given, else the polygons'."""
        return self.polygon_area if self.given_area is None else self.given_area

    @cached_property
    def periodic(self) -> bool:
        """Whether the last column of cells borders on the first."""
        return topology.periodic(self)

    def neighbours(self, cells: Index) -> Index:
        """Return the given cells and all that touch them, sorted global indices."""
        return topology.neighbours(self, cells)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of geometry, mask and areas: equal for equal grids on any machine."""
        digest = hashlib.sha256(f"{self.kind}{self.shape}".encode())
        for part in (*self.places.parts, self.mask, self.given_area):
            digest.update(b"-" if part is None else np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Geometry) and (other is self or other.fingerprint == self.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        cells = "x".join(str(n) for n in self.shape)
        masked = f", {int((~self.mask).sum())} masked" if not self.mask.all() else ""
        # axes where there are axes: errors name large grids often
        lon, lat = self.places.parts[:2]
        box = f"{_range(lon, 'E', 'W')} {_range(lat, 'N', 'S')}"
        return f"{self.kind} grid {cells} ({box}{masked})"


def _range(values: Array | None, plus: str, minus: str) -> str:
    values = np.asarray(values)
    ends = (f"{abs(v):g}{plus if v >= 0 else minus}" for v in (values.min(), values.max()))
    return "..".join(ends)
