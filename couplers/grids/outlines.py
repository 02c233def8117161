"""Regions given by their outlines: polygons of GeoJSON (RFC 7946) and ESRI shapefiles, in degrees."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tradewind.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids.grid import Grid

    Flags: TypeAlias = NDArray[np.bool_]
    Labels: TypeAlias = NDArray[np.int64]

INSTALL = 'pip install "tradewind[shapes]"'
NAMES = ("name", "id", "title", "label", "region", "admin", "abbrev")
"""Attributes that may name a region, in any case of letters; the first that is there does."""
DEGREES = ("crs84", "epsg::4326", "epsg:4326", "wgs84", "wgs 84")
POLYGONS = ("Polygon", "MultiPolygon")
TURNS = (0.0, 360.0, -360.0)


class Outline(NamedTuple):
    """A region: its name, and a polygon or several (of shapely)."""

    name: str
    shape: Any


def labels(found: Sequence[Outline], grid: Grid, where: str) -> tuple[Labels, tuple[str, ...]]:
    """Return which outline holds each cell's centre, ``(size,)``, -1 for none; and the names.

    A centre on the border of several belongs to the first of them.

    Raises
    ------
    DataError
        When a centre lies within outlines of two names.
    """
    names = tuple(dict.fromkeys(outline.name for outline in found))
    out = np.full(grid.size, -1, dtype=np.int64)
    firmly = np.zeros(grid.size, dtype=bool)
    for outline in found:
        number = names.index(outline.name)
        within, touched = _within(outline.shape, grid)
        twice = within & firmly & (out != number)
        if twice.any():
            _refuse_overlap(int(np.argmax(twice)), (names, out, number), grid, where)
        out[within | (touched & (out < 0))] = number
        firmly |= within
    return out, names


def _refuse_overlap(cell: int, state: tuple[tuple[str, ...], Labels, int], grid: Grid, where: str) -> None:
    names, out, number = state
    what = f"the regions {names[int(out[cell])]!r} and {names[number]!r} overlap"
    at = f"both hold the cell at {grid.lat[cell]:g}, {grid.lon[cell]:g}; give them one name, or cut one"
    raise DataError(what, where=where, hint=at)


def _within(shape: Any, grid: Grid) -> tuple[Flags, Flags]:
    """Return which centres lie inside, and which inside or on the border, ``(size,)`` each."""
    import shapely

    shapely.prepare(shape)
    west, south, east, north = shapely.bounds(shape)
    inside, touched = np.zeros((2, grid.size), dtype=bool)
    for turn in TURNS:
        lon = grid.lon + turn
        near = (lon >= west) & (lon <= east) & (grid.lat >= south) & (grid.lat <= north)
        inside[near] |= shapely.contains_xy(shape, lon[near], grid.lat[near])
        touched[near] |= shapely.intersects_xy(shape, lon[near], grid.lat[near])
    return inside, touched


# ---------------------------------------------------------------------- files
def of_geojson(path: Path) -> list[Outline]:
    """Return the regions of a GeoJSON file: features, one feature, or one geometry.

    Raises
    ------
    DataError
        No JSON, or none of the above; coordinates of another system than degrees; see `_outline`.
    """
    where = str(path)
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"is no GeoJSON: {error}", where=where) from error
    if not isinstance(whole, Mapping) or "type" not in whole:
        raise DataError("is no GeoJSON: it has no type", where=where)
    _refuse_other_system(json.dumps(whole.get("crs") or "crs84"), where)
    return _outlines(list(_features(whole)), where)


def _features(whole: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield attributes and geometry of every feature."""
    if whole["type"] == "FeatureCollection":
        for feature in whole.get("features") or ():
            yield _attributes(feature), feature.get("geometry")
    elif whole["type"] == "Feature":
        yield _attributes(whole), whole.get("geometry")
    else:
        yield {}, whole


def _attributes(feature: Mapping[str, Any]) -> dict[str, Any]:
    own = {"id": feature["id"]} if feature.get("id") is not None else {}
    return own | dict(feature.get("properties") or {})


def _refuse_other_system(said: str, where: str) -> None:
    if not any(name in said.lower() for name in DEGREES):
        hint = "write it in longitude and latitude (WGS 84)"
        raise DataError(f"coordinates are of another system: {said:.200}", where=where, hint=hint)


def of_shapefile(path: Path) -> list[Outline]:
    """Return the regions of a shapefile; names come from its ``.dbf``, the system from its ``.prj``.

    Raises
    ------
    DataError
        A damaged file; projected coordinates; pyshp is not installed; see `_outline`.
    """
    if find_spec("shapefile") is None:
        raise DataError("is a shapefile, and pyshp is not installed", where=str(path), hint=INSTALL)
    import shapefile

    system = path.with_suffix(".prj")
    if system.exists() and system.read_text(errors="replace").lstrip().upper().startswith("PROJ"):
        hint = "write it in longitude and latitude (WGS 84)"
        raise DataError("coordinates are projected, says its .prj", where=str(path), hint=hint)
    try:
        with shapefile.Reader(str(path)) as reader:
            found = [*_records(reader)]
    except (OSError, ValueError, struct.error, shapefile.ShapefileException) as error:
        raise DataError(f"the shapefile cannot be read: {error}", where=str(path)) from error
    return _outlines(found, str(path))


def _records(reader: Any) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield attributes and geometry of every shape."""
    known = reader.dbf is not None
    for number, shape in enumerate(reader.iterShapes()):
        attributes = reader.record(number).as_dict() if known else {}
        yield attributes, None if shape.shapeType == 0 else shape.__geo_interface__


def _outlines(found: Sequence[tuple[Mapping[str, Any], Any]], where: str) -> list[Outline]:
    if not found:
        raise DataError("holds no region", where=where)
    if find_spec("shapely") is None:
        raise DataError("holds polygons, and shapely is not installed", where=where, hint=INSTALL)
    return [_outline(_name(attributes, k), shape, where) for k, (attributes, shape) in enumerate(found, 1)]


def _name(attributes: Mapping[str, Any], number: int) -> str:
    known = {str(key).lower(): value for key, value in attributes.items()}
    said = (str(known[key]).strip() for key in NAMES if known.get(key) is not None)
    return next((name for name in said if name), f"region {number}")


def _outline(name: str, geometry: Any, where: str) -> Outline:
    """Return a checked outline.

    Raises
    ------
    DataError
        No polygon; one that crosses itself, has no area, or whose corners are not degrees.
    """
    import shapely
    import shapely.geometry

    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind not in POLYGONS:
        raise DataError(f"{name!r} is no polygon but {kind}", where=where, hint="give areas")
    try:
        shape = shapely.geometry.shape(geometry)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, shapely.GEOSException) as error:
        raise DataError(f"the polygon {name!r} cannot be read: {error}", where=where) from error
    if shape.is_empty or not shape.is_valid:
        why = "it is empty" if shape.is_empty else shapely.is_valid_reason(shape)
        raise DataError(f"the polygon {name!r} is not sound: {why}", where=where, hint="mend its outline")
    _refuse_no_degrees(shapely.bounds(shape), name, where)
    return Outline(name, shape)


def _refuse_no_degrees(bounds: NDArray[np.float64], name: str, where: str) -> None:
    west, south, east, north = (float(b) for b in bounds)
    # NaN is no degree either
    if not (-360 <= west <= east <= 360 and -90 <= south <= north <= 90):
        what = f"{name!r} spans {west:g}..{east:g} and {south:g}..{north:g}: these are not degrees"
        hint = "write it in longitude and latitude (WGS 84), in this order"
        raise DataError(what, where=where, hint=hint)
