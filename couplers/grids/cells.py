"""What can be wrong with cells; each is named in a `GridError`: how many have it, and which is the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import checks, sphere
from tradewind.couplers.grids.places import Listed, blocks
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

FLAT = 1e-15
"""Steradians, a fifth of a square metre on Earth: below that a cell has no area."""
SAMPLE = 10_000
"""Cells that are looked at where a fault of most cells is looked for."""
AWAY = 5.0
"""Centres further than so many radii from the middle of their cells belong to other cells."""


def sound(places: Listed, mask: Flags, where: str) -> float:
    """Check listed cells, turn clockwise ones in place, and return the steradians that active ones cover.

    Masked cells may be of any shape: they take part in nothing.

    Raises
    ------
    GridError
        Active cells without area, with sides that cross, or far from their centres.
    """
    crossed, flat, turned = np.zeros((3, len(mask)), dtype=bool)
    covered = 0.0
    for part in blocks(len(mask)):
        corners = places.corners_of(part)
        area = sphere.polygon_areas(corners)
        turned[part], flat[part] = area < 0, np.abs(area) < FLAT
        crossed[part] = sphere.bow_ties(corners)
        covered += float(np.abs(area)[mask[part]].sum())
    refuse(crossed & mask, "sides that cross (a bow-tie)", where, "reorder their corners, or mask them")
    refuse(flat & mask, "no area", where, "mask them (mask=...) or leave them out: they carry nothing")
    _refuse_astray(places, mask, where)
    _turn(places, turned)
    return covered


def refuse(bad: Flags, what: str, where: str, hint: str) -> None:
    """Refuse cells that have a fault, saying how many there are and which is the first."""
    if bad.any():
        count, first = int(bad.sum()), int(np.argmax(bad))
        others = f" and {count - 1} more" if count > 1 else ""
        has = "have" if count > 1 else "has"
        raise GridError(f"cell {first}{others} of {len(bad)} {has} {what}", where=where, hint=hint)


def _refuse_astray(places: Listed, mask: Flags, where: str) -> None:
    some = np.flatnonzero(mask)[:: max(1, int(mask.sum()) // SAMPLE)]
    corners = places.corners_of(some)
    middle = sphere.centroids(corners)
    centre = sphere.unit_vectors(places.lon[some], places.lat[some])
    gap = np.sqrt(((centre - middle) ** 2).sum(axis=-1))
    astray = np.zeros(len(mask), dtype=bool)
    astray[some] = gap > AWAY * sphere.radii(corners, middle)
    # single odd centres occur in real models, at folds and poles
    if 2 * int(astray.sum()) > len(some):
        what = "a centre far outside its corners"
        refuse(astray, what, where, "are both in the same units and order, and neither transposed?")


def _turn(places: Listed, turned: Flags) -> None:
    lon, lat = places.lon_corners, places.lat_corners
    if lon is None or lat is None or not turned.any():
        return
    last = (lon[turned] == lon[turned, -1:]) & (lat[turned] == lat[turned, -1:])
    repeats = np.logical_and.accumulate(last[:, ::-1], axis=1).sum(axis=1, keepdims=True)
    # backwards from the last corner, which is then the first; what is repeated is the last again
    order = np.maximum(lon.shape[1] - repeats - np.arange(lon.shape[1]), 0)
    for corners in (lon, lat):
        corners[turned] = np.take_along_axis(corners[turned], order, axis=1)


def refuse_overlap(covered: float, most: float, where: str) -> None:
    """Refuse cells that cover more steradians than they may, which is what the sphere has."""
    if covered > most * (1 + 1e-6):
        raise GridError(
            f"the active cells cover {covered / (4 * np.pi):.4g} times the sphere: some lie on others",
            where=where,
            hint="mask or leave out repeated rows and columns, as ocean models have at seams and folds",
        )


def filled(
    corners: tuple[Array, Array], centres: tuple[Array, Array], mask: Flags, where: str
) -> tuple[Array, Array]:
    """Return corners in which masked cells that have none stand, without area, at their centres.

    Raises
    ------
    GridError
        When corners of an active cell are missing.
    """
    missing = (checks.absent(corners[0]) | checks.absent(corners[1])).any(axis=1)
    if not missing.any():
        return corners
    refuse(missing & mask, "corners that are missing", where, "mask them, or give all their corners")
    for corner, centre in zip(corners, centres, strict=True):
        corner[missing] = centre.reshape(-1)[missing, None]
    return corners


def refuse_bad_axes(lon: tuple[Array, Array], lat: tuple[Array, Array], where: str) -> None:
    """Refuse edges of rows and columns that are unordered, too wide or do not hold their centres.

    Parameters
    ----------
    lon, lat
        Centres ``(n,)`` and edges ``(n + 1,)`` of an axis, degrees.
    """
    for (centres, edges), name in ((lon, "longitude"), (lat, "latitude")):
        _refuse_disorder(edges, f"{where} {name}")
        _refuse_outside(centres, edges, f"{where} {name}")
    width = np.abs(np.diff(lon[1]))
    if width.max() >= 180.0:
        raise GridError("cells are 180 degrees wide or wider", where=where, hint="give more longitudes")
    if width.sum() > 360.0 + 1e-6:
        what = f"cells span {width.sum():g} degrees of longitude: some lie on others"
        raise GridError(what, where=where, hint="drop the repeated columns, or mend the bounds")


def _refuse_disorder(edges: Array, where: str) -> None:
    steps = np.diff(edges)
    if (steps == 0).any():
        raise GridError(
            f"cell {int(np.argmax(steps == 0))} has no area: its two bounds are equal", where=where
        )
    if not ((steps > 0).all() or (steps < 0).all()):
        raise GridError("bounds are neither increasing nor decreasing", where=where)


def _refuse_outside(centres: Array, edges: Array, where: str) -> None:
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    slack = 0.01 * (high - low)  # centres in single precision
    outside = (centres < low - slack) | (centres > high + slack)
    if outside.any():
        i = int(np.argmax(outside))
        what = f"centre {centres[i]:g} of cell {i} lies outside its bounds {edges[i]:g} and {edges[i + 1]:g}"
        raise GridError(what, where=where, hint="are both in the same units and order?")


def refuse_repeated_columns(lon: Array, lat: Array, mask: Flags, where: str) -> None:
    """Refuse rows that end where they began, as files with a cyclic point do; ``(ny, nx)`` each."""
    if lon.shape[1] < 4:
        return
    first = sphere.unit_vectors(lon[:, 0], lat[:, 0])
    for last in (-1, -2):
        gap = np.abs(first - sphere.unit_vectors(lon[:, last], lat[:, last])).max(axis=1)
        off_pole = np.abs(lat[:, 0]) < 89.999
        if off_pole.any() and (gap < 1e-6)[off_pole].all() and (mask[:, 0] & mask[:, last]).any():
            column = lon.shape[1] + last
            what = f"column {column} repeats column 0 (duplicated longitudes, a cyclic point)"
            raise GridError(what, where=where, hint="drop or mask the repeated columns")


def refuse_flat_centres(lon: Array, lat: Array, where: str) -> None:
    """Refuse centres ``(ny, nx)`` that span no area at all, as where one array is transposed."""
    if min(lon.shape) < 2:
        return
    nodes = sphere.unit_vectors(lon[:: max(1, len(lon) // 64)], lat[:: max(1, len(lat) // 64)])
    around = [nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]]
    area = sphere.polygon_areas(np.stack(around, axis=-2).reshape(-1, 4, 3))
    if (np.abs(area) < FLAT).all():
        raise GridError("all centres lie on lines", where=where, hint="is longitude or latitude transposed?")
