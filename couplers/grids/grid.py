"""Grid: where a field lives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tradewind.couplers.grids import cells, masks
from tradewind.couplers.grids.geometry import Geometry
from tradewind.couplers.grids.making import constructors as making
from tradewind.couplers.grids.places import GridKind, Listed

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

__all__ = ["Grid", "GridKind"]


@dataclass(frozen=True, eq=False, repr=False)
class Grid(Geometry):
    """Cells on the sphere: centres, corners, mask and areas; make one with the constructors below.

    All per-cell arrays are flat, in C order of `shape`, in the order in which they were given. Attributes
    are those of `Geometry`.
    """

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
    def cubed_sphere(cls, n: int, *, mask: ArrayLike | None = None, area: ArrayLike | None = None) -> Grid:
        """Make the equiangular gnomonic cubed sphere of ``n`` x ``n`` cells a face, shape ``(6 n²,)``.

        A mesh of quadrilaterals: four faces around the equator from longitude 315 eastwards, then north,
        then south, rows of each from south to north (Ronchi and others, 1996, doi 10.1006/jcph.1996.0047);
        the C12 that the reference weights of ESMF were made on. Models that stretch or turn theirs (FV3,
        GEOS) bring files: read those.

        Raises
        ------
        GridError
            When n is no positive whole number, or mask or area do not fit.
        """
        return cls(*making.cubed_sphere(n, (mask, area)))

    @classmethod
    def from_dataset(
        cls,
        ds: xr.Dataset,
        *,
        name: str | None = None,
        mask: ArrayLike | str | None = None,
        radius: float | None = None,
    ) -> Grid:
        """Read the grid of a dataset that follows CF, UGRID, SCRIP, ESMF's mesh format or GRIDSPEC.

        The convention is found out by what is there; see the modules of `tradewind.couplers.grids.readers`.

        Parameters
        ----------
        name
            Where there are several grids: a variable on the one that is meant, a mesh, or a tile.
        mask
            Active cells, or the name of a variable that has them, in place of the dataset's own mask.
        radius
            Metres, for areas in m2 or km2; else one that the dataset names, else 6 371 220 m as in ESMF.
            Which it was is noted in `area_note`.

        Raises
        ------
        GridError
            When no grid is found (what was looked for is said), several are, or it cannot be used.
        """
        from tradewind.couplers.grids.readers import find, wanted

        return find.from_dataset(ds, wanted.Wanted(name, mask, radius))

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        mask: ArrayLike | str | None = None,
        radius: float | None = None,
    ) -> Grid:
        """Read the grid of a netCDF file, as `from_dataset`; tiles of a mosaic come as one mesh.

        Raises
        ------
        DataError
            When there is no such file, or it is no netCDF.
        GridError
            As `from_dataset`, with the file's name.
        """
        from tradewind.couplers.grids.readers import find, wanted

        return find.from_file(Path(path), wanted.Wanted(name, mask, radius))

    @classmethod
    def from_map_file(cls, path: str | Path, side: Literal["source", "target"] = "source") -> Grid:
        """Read one of the two grids of a weight file of ESMF, SCRIP or OASIS3-MCT.

        Raises
        ------
        DataError
            When the file is no weight file.
        GridError
            When the grid in it cannot be used.
        """
        from tradewind.couplers.regrid import mapfile

        return mapfile.read_grid(Path(path), side)

    def to_dataset(self, convention: Literal["cf", "ugrid"] = "cf") -> xr.Dataset:
        """Return coordinates, corners, mask and given areas; `from_dataset` makes the same grid of them.

        Raises
        ------
        GridError
            When UGRID is asked for what is no mesh.
        """
        from tradewind.couplers.grids.readers import find

        return find.to_dataset(self, convention)

    def to_file(self, path: str | Path, convention: Literal["cf", "ugrid"] = "cf") -> None:
        """Write `to_dataset` as a netCDF file."""
        self.to_dataset(convention).to_netcdf(Path(path))

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
