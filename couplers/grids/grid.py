"""Grid: where a field lives."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from tradewind.couplers.grids import bounds, checks, sphere, topology
from tradewind.errors import GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]


class GridKind(StrEnum):
    """How the cells of a grid are arranged."""

    LATLON = "latlon"
    CURVILINEAR = "curvilinear"
    MESH = "mesh"
    POINTS = "points"


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
    lon, lat
        Centres in degrees, shape ``(size,)``.
    lon_corners, lat_corners
        Corners in degrees, counter-clockwise, shape ``(size, nv)``; cells with fewer corners repeat the
        last one. None for points and where no corners are known.
    mask
        True for active cells, shape ``(size,)``.
    given_area
        Areas in steradian brought by the user, or None.
    dims
        Names of the dimensions in files.
    """

    kind: GridKind
    shape: tuple[int, ...]
    lon: Array
    lat: Array
    lon_corners: Array | None
    lat_corners: Array | None
    mask: NDArray[np.bool_]
    given_area: Array | None
    dims: tuple[str, ...]

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
        where = "latlon grid"
        x, y = checks.coordinates(lon, lat, where)
        x, y = checks.axis(x, f"{where} longitude", 360.0), checks.axis(y, f"{where} latitude")
        x_edges = bounds.longitude_edges(x, lon_bounds, f"{where} longitude")
        if np.abs(np.diff(x_edges)).max() >= 180.0:
            raise GridError("cells are 180 degrees wide or wider", where=where, hint="give more longitudes")
        corners = bounds.boxes(x_edges, bounds.latitude_edges(y, lat_bounds, f"{where} latitude"))
        columns, rows = np.meshgrid(x, y)
        centres = (columns.reshape(-1), rows.reshape(-1))
        return _made(GridKind.LATLON, (len(y), len(x)), centres, corners, (mask, area))

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
        where = "curvilinear grid"
        x, y = checks.coordinates(lon, lat, where)
        if x.ndim != 2 or x.shape != y.shape:
            raise GridError(f"centres of shapes {x.shape} and {y.shape}", where=where, hint="both (ny, nx)")
        corners = None
        if lon_corners is not None and lat_corners is not None:
            corners = (
                bounds.curvilinear(lon_corners, x.shape, f"{where} lon_corners"),
                bounds.curvilinear(lat_corners, x.shape, f"{where} lat_corners"),
            )
        elif lon_corners is not None or lat_corners is not None:
            raise GridError("only one of lon_corners and lat_corners was given", where=where)
        return _made(GridKind.CURVILINEAR, x.shape, (x.reshape(-1), y.reshape(-1)), corners, (mask, area))

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
        where = "mesh"
        x, y = checks.coordinates(node_lon, node_lat, where)
        nodes = topology.padded_faces(faces, len(x))
        corners = (x[nodes], y[nodes])
        if centres is None:
            centres = sphere.lon_lat(topology.mean_of_distinct(sphere.unit_vectors(*corners)))
        cx, cy = checks.coordinates(centres[0], centres[1], f"{where} centre")
        return _made(GridKind.MESH, (len(nodes),), (cx, cy), corners, (mask, area))

    @classmethod
    def points(
        cls, lon: ArrayLike, lat: ArrayLike, *, mask: ArrayLike | None = None, area: ArrayLike | None = None
    ) -> Grid:
        """Make a set of points, shape ``(n,)`` each; they have no corners and no area of their own."""
        x, y = checks.coordinates(lon, lat, "points")
        if x.ndim != 1 or x.shape != y.shape:
            raise GridError(f"shapes {x.shape} and {y.shape}", where="points", hint="both (n,)")
        return _made(GridKind.POINTS, x.shape, (x, y), None, (mask, area))

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

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.lon)

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
        if self.lon_corners is None or self.lat_corners is None:
            raise GridError("has no corners", where=repr(self), hint="give them, or use bilinear or nearest")
        return sphere.unit_vectors(self.lon_corners, self.lat_corners)

    @cached_property
    def polygon_area(self) -> Array:
        """Areas in steradian of the polygons with great-circle sides, shape ``(size,)``."""
        return sphere.polygon_areas(self.corners)

    @property
    def area(self) -> Array:
        """Areas in steradian, shape ``(size,)``: the user's where given, else the polygons'."""
        return self.polygon_area if self.given_area is None else self.given_area

    @cached_property
    def periodic(self) -> bool:
        """Whether the last column of cells borders on the first."""
        return topology.periodic(self)

    def neighbours(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the given cells and all that touch them, sorted global indices."""
        return topology.neighbours(self, cells)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of geometry, mask and areas: equal for equal grids on any machine."""
        digest = hashlib.sha256(f"{self.kind}{self.shape}".encode())
        parts = (self.lon, self.lat, self.lon_corners, self.lat_corners, self.mask, self.given_area)
        for part in parts:
            digest.update(b"-" if part is None else np.ascontiguousarray(part).tobytes())
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


def _made(
    kind: GridKind,
    shape: tuple[int, ...],
    centres: tuple[Array, Array],
    corners: tuple[Array, Array] | None,
    extras: tuple[ArrayLike | None, ArrayLike | None],
) -> Grid:
    where = f"{kind} grid"
    mask = checks.per_cell(extras[0], shape, f"{where} mask")
    area = checks.per_cell(extras[1], shape, f"{where} area")
    if corners is not None:
        checks.angles(*corners, f"{where} corner")
        checks.polygons(sphere.unit_vectors(*corners), where)
        corners = bounds.counter_clockwise(*corners)
    lon_corners, lat_corners = corners or (None, None)
    return Grid(
        kind=kind,
        shape=shape,
        lon=centres[0],
        lat=centres[1],
        lon_corners=lon_corners,
        lat_corners=lat_corners,
        mask=np.ones(len(centres[0]), dtype=bool) if mask is None else mask.astype(bool),
        given_area=None if area is None else checks.areas(area, where),
        dims={1: ("cell",), 2: ("lat", "lon") if kind == GridKind.LATLON else ("y", "x")}[len(shape)],
    )


def _range(values: Array, plus: str, minus: str) -> str:
    ends = (f"{abs(v):g}{plus if v >= 0 else minus}" for v in (values.min(), values.max()))
    return "..".join(ends)
