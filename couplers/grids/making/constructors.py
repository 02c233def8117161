"""The making of grids: what users give becomes places, mask and areas, checked once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import cells, checks, masks, sphere, topology
from tradewind.couplers.grids.making import bounds, cube
from tradewind.couplers.grids.places import Axes, GridKind, Listed, Parts, Places
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Pair: TypeAlias = tuple[ArrayLike, ArrayLike]
    Maybe: TypeAlias = tuple[ArrayLike | None, ArrayLike | None]

DIMS = {
    GridKind.LATLON: ("lat", "lon"),
    GridKind.CURVILINEAR: ("y", "x"),
    GridKind.MESH: ("cell",),
    GridKind.POINTS: ("cell",),
}


def latlon(centres: Pair, edges: Maybe, extras: Maybe) -> Parts:
    """Return the parts of a rectilinear grid; pairs are longitude first. See `Grid.latlon`."""
    where = "latlon grid"
    x, y = checks.coordinates(*centres, where)
    x, y = checks.axis(x, f"{where} longitude", 360.0), checks.axis(y, f"{where} latitude")
    x_edges = bounds.longitude_edges(x, edges[0], f"{where} longitude")
    y_edges = bounds.latitude_edges(y, edges[1], f"{where} latitude")
    cells.refuse_bad_axes((x, x_edges), (y, y_edges), where)
    mask = masks.active(extras[0], (len(y), len(x)), f"{where} mask")
    return _parts(GridKind.LATLON, (len(y), len(x)), Axes(x, y, x_edges, y_edges), mask, extras[1])


def curvilinear(centres: Pair, corners: Maybe, extras: Maybe) -> Parts:
    """Return the parts of a grid of rows and columns; pairs are longitude first. See `Grid.curvilinear`."""
    where = "curvilinear grid"
    x, y = checks.coordinates(*centres, where)
    if x.ndim != 2 or x.shape != y.shape:
        raise GridError(f"centres of shapes {x.shape} and {y.shape}", where=where, hint="both (ny, nx)")
    mask = masks.active(extras[0], x.shape, f"{where} mask")
    around = _corners(corners, (x, y), mask, where)
    if not around:
        cells.refuse_flat_centres(x, y, where)
    cells.refuse_repeated_columns(x, y, mask.reshape(x.shape), where)
    places = Listed(x.reshape(-1), y.reshape(-1), *around)
    return _parts(GridKind.CURVILINEAR, x.shape, places, mask, extras[1])


def _corners(corners: Maybe, centres: tuple[Array, Array], mask: Flags, where: str) -> tuple[Array, ...]:
    lon, lat = corners
    if (lon is None) != (lat is None):
        raise GridError("only one of lon_corners and lat_corners was given", where=where)
    if lon is None or lat is None:
        return ()
    shape = centres[0].shape
    shaped = (
        bounds.curvilinear(lon, shape, f"{where} lon_corners"),
        bounds.curvilinear(lat, shape, f"{where} lat_corners"),
    )
    return checks.angles(*cells.filled(shaped, centres, mask, where), f"{where} corner")


def mesh(nodes: Pair, faces: ArrayLike, centres: Pair | None, extras: Maybe) -> Parts:
    """Return the parts of a mesh; pairs are longitude first. See `Grid.mesh`."""
    where = "mesh"
    x, y = checks.coordinates(*nodes, where)
    if x.ndim != 1 or x.shape != y.shape:
        raise GridError(f"nodes of shapes {x.shape} and {y.shape}", where=where, hint="both (nodes,)")
    index = topology.padded_faces(faces, len(x))
    mask = masks.active(extras[0], (len(index),), f"{where} mask")
    return _polygons((x[index], y[index]), centres, (mask, extras[1]), where)


def polygons(corners: Pair, centres: Pair | None, extras: Maybe) -> Parts:
    """Return the parts of polygons with corners of their own; pairs are longitude first."""
    where = "polygons"
    lon, lat = (checks.numbers(c, where) for c in corners)
    if lon.ndim != 2 or lon.shape != lat.shape or lon.shape[1] < 3:
        what = f"corners of shapes {lon.shape} and {lat.shape}"
        raise GridError(what, where=where, hint="both (n, nv), nv of 3 or more")
    around = checks.angles(*topology.padded_corners(lon, lat, where), where)
    checks.refuse_radians(*around, where)
    mask = masks.active(extras[0], (len(around[0]),), f"{where} mask")
    # footprints of observations may lie on each other
    return _polygons(around, centres, (mask, extras[1]), where, np.inf)


def cubed_sphere(n: int, extras: Maybe) -> Parts:
    """Return the parts of a cubed sphere; see `Grid.cubed_sphere`."""
    corners, centres = cube.equiangular(n)
    where = f"cubed sphere C{n}"
    mask = masks.active(extras[0], (6 * n * n,), f"{where} mask")
    return _polygons(corners, centres, (mask, extras[1]), where)


def points(centres: Pair, extras: Maybe) -> Parts:
    """Return the parts of a set of points; pairs are longitude first."""
    x, y = checks.coordinates(*centres, "points")
    if x.ndim != 1 or x.shape != y.shape:
        raise GridError(f"shapes {x.shape} and {y.shape}", where="points", hint="both (n,)")
    mask = masks.active(extras[0], x.shape, "points mask")
    return _parts(GridKind.POINTS, x.shape, Listed(x, y), mask, extras[1])


def _polygons(
    corners: tuple[Array, Array],
    centres: Pair | None,
    extras: tuple[Flags, ArrayLike | None],
    where: str,
    most: float = 4 * np.pi,
) -> Parts:
    if centres is None:
        centres = sphere.lon_lat(topology.mean_of_distinct(sphere.unit_vectors(*corners)))
    cx, cy = checks.angles(centres[0], centres[1], f"{where} centre")
    if cx.shape != (len(corners[0]),) or cy.shape != cx.shape:
        what = f"centres of shapes {cx.shape} and {cy.shape} for {len(corners[0])} cells"
        raise GridError(what, where=where)
    return _parts(GridKind.MESH, cx.shape, Listed(cx, cy, *corners), *extras, most)


def _parts(
    kind: GridKind,
    shape: tuple[int, ...],
    places: Places,
    mask: Flags,
    area: ArrayLike | None,
    most: float = 4 * np.pi,
) -> Parts:
    where = f"{kind} grid"
    if isinstance(places, Listed) and places.n_corners:
        cells.refuse_overlap(cells.sound(places, mask, where), most, where)
    return Parts(kind, shape, places, mask, checks.areas(area, shape, where, mask), DIMS[kind])
