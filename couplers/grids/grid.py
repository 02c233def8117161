"""Grid: where a field lives."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from tradewind.couplers.grids import cells, making, masks, places, sphere, topology
from tradewind.couplers.grids.places import GridKind, Listed, Places
from tradewind.errors import GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

__all__ = ["Grid", "GridKind"]


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """Cells on the sphere: centres, corners, mask and areas; make one with the constructors below.

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

    @classmethod
    def latlon(
        cls,
        lat: ArrayLike,
        lon: ArrayLike,
        *,
        lat_bounds: ArrayLike | None = None,
        lon_bounds: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        area: ArrayLike | None = None,
    ) -> Grid:
        """Make a rectilinear grid of ``len(lat)`` rows and ``len(lon)`` columns.

        Parameters
        ----------
        lat, lon
            Centres in degrees; latitudes in either order, longitudes in any convention.
        lat_bounds, lon_bounds
            Edges ``(n + 1,)`` or ``(n, 2)``; half-way between centres when absent, cut at the poles.
        mask
            True (or nonzero) where a cell is active, shape ``(ny, nx)``.
        area
            Areas in steradian, shape ``(ny, nx)``.

        Raises
        ------
        GridError
            Not finite, beyond a pole, duplicated or unordered coordinates, radians, bad bounds.
        """
        return cls(*making.latlon((lon, lat), (lon_bounds, lat_bounds), (mask, area)))

    @classmethod
    def curvilinear(
        cls,
        lon: ArrayLike,
        lat: ArrayLike,
        lon_corners: ArrayLike | None = None,
        lat_corners: ArrayLike | None = None,
        *,
        mask: ArrayLike | None = None,
        area: ArrayLike | None = None,
    ) -> Grid:
        """Make a grid of 2-D centres ``(ny, nx)`` and corners ``(ny + 1, nx + 1)`` or ``(ny, nx, nv)``.

        Without corners, only methods that need none (bilinear, nearest) can use it.

        Raises
        ------
        GridError
            Not finite, beyond a pole, shapes that do not fit, bow-ties, cells without area.
        """
        return cls(*making.curvilinear((lon, lat), (lon_corners, lat_corners), (mask, area)))

    @classmethod
    def mesh(
        cls,
        node_lon: ArrayLike,
        node_lat: ArrayLike,
        faces: ArrayLike,
        *,
        centres: tuple[ArrayLike, ArrayLike] | None = None,
        mask: ArrayLike | None = None,
        area: ArrayLike | None = None,
    ) -> Grid:
        """Make an unstructured grid of polygons.

        Parameters
        ----------
        node_lon, node_lat
            Nodes in degrees, shape ``(nodes,)``.
        faces
            Node indices from 0 of every cell, shape ``(n, nv)``, negative behind the last corner.
        centres
            Longitudes and latitudes of the centres; the mean of the corners when absent.

        Raises
        ------
        GridError
            As above, and when faces name nodes that do not exist or have under three corners.
        """
        return cls(*making.mesh((node_lon, node_lat), faces, centres, (mask, area)))

    @classmethod
    def points(
        cls, lon: ArrayLike, lat: ArrayLike, *, mask: ArrayLike | None = None, area: ArrayLike | None = None
    ) -> Grid:
        """Make a set of points, shape ``(n,)`` each; they have no corners and no area of their own."""
        return cls(*making.points((lon, lat), (mask, area)))

    @classmethod
    def polygons(
        cls,
        lon: ArrayLike,
        lat: ArrayLike,
        *,
        centres: tuple[ArrayLike, ArrayLike] | None = None,
        mask: ArrayLike | None = None,
        area: ArrayLike | None = None,
    ) -> Grid:
        """Make a set of polygons with corners of their own, such as footprints of observations.

        They are a mesh, and take part in every method that meshes take part in; they may lie on each
        other, and apart.

        Parameters
        ----------
        lon, lat
            Corners in degrees, shape ``(n, nv)``, in either sense of rotation; behind the last corner of
            a polygon NaN, or that corner again.
        centres
            Longitudes and latitudes of the centres; the mean of the corners when absent.

        Raises
        ------
        GridError
            As `mesh`, and when a corner is missing between others.
        """
        return cls(*making.polygons((lon, lat), centres, (mask, area)))

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> Grid:
        """Read the grid of a CF dataset (1-D or 2-D coordinates, bounds where present).

        Raises
        ------
        GridError
            When no longitude and latitude are found, or they cannot be used.
        """
        from tradewind.couplers.grids.readers import cf

        return cf.from_dataset(ds)

    @classmethod
    def from_file(cls, path: str | Path) -> Grid:
        """Read the grid of a CF netCDF file."""
        from tradewind.couplers.grids.readers import cf

        return cf.from_file(Path(path))

    @classmethod
    def from_map_file(cls, path: str | Path, side: Literal["source", "target"] = "source") -> Grid:
        """Read one of the two grids of an ESMF offline weight file."""
        from tradewind.couplers.regrid import mapfile

        return mapfile.read_grid(Path(path), side)

    def to_dataset(self) -> xr.Dataset:
        """Return coordinates, bounds, mask and areas as a CF dataset."""
        from tradewind.couplers.grids.readers import cf

        return cf.to_dataset(self)

    def with_mask(
        self,
        mask: ArrayLike,
        *,
        active: Collection[int] | None = None,
        inactive: Collection[int] | None = None,
    ) -> Grid:
        """Return the same cells under another mask.

        Parameters
        ----------
        mask
            Booleans or zeros and ones, or codes if one of the next two is given; shape of the grid.
        active, inactive
            The codes that make a cell active, or those that make it inactive.

        Raises
        ------
        GridError
            Another shape, fractions, missing values, a code that occurs nowhere, and cells that may not
            be active because they have no area.
        """
        where = f"{self.kind} grid mask"
        if active is None and inactive is None:
            chosen = masks.active(mask, self.shape, where)
        else:
            chosen = masks.coded(mask, self.shape, where, active=active, inactive=inactive)
        if isinstance(self.places, Listed) and self.has_corners and (chosen & ~self.mask).any():
            cells.sound(self.places, chosen, where)
        return replace(self, mask=chosen)

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
        return isinstance(other, Grid) and (other is self or other.fingerprint == self.fingerprint)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        cells = "x".join(str(n) for n in self.shape)
        masked = f", {int((~self.mask).sum())} masked" if not self.mask.all() else ""
        box = f"{_range(self.lon, 'E', 'W')} {_range(self.lat, 'N', 'S')}"
        return f"{self.kind} grid {cells} ({box}{masked})"


def _range(values: Array, plus: str, minus: str) -> str:
    ends = (f"{abs(v):g}{plus if v >= 0 else minus}" for v in (values.min(), values.max()))
    return "..".join(ends)
