"""Regions of a grid, from files: GeoJSON, shapefiles, and netCDF masks and maps.

A cell belongs to the region that holds its centre. What files say of places outside the grid does not matter;
that no cell is left at all is refused, since nobody asks for that on purpose.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import outlines, region_maps
from tradewind.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids.grid import Grid

    Flags: TypeAlias = NDArray[np.bool_]
    Labels: TypeAlias = NDArray[np.int64]

NONE = -1
"""Label of a cell in no region."""
GEOJSON = (".geojson", ".json")
SHAPEFILE = ".shp"


def region_labels(path: str | Path, grid: Grid) -> tuple[Labels, tuple[str, ...]]:
    """Return which region of a file holds each cell's centre, and what the regions are called.

    Parameters
    ----------
    path
        GeoJSON (``.geojson``, ``.json``) or a shapefile (``.shp``) of polygons in degrees, else netCDF: an
        integer variable ``region`` (negative: none), or a variable ``mask``, or the file's only variable
        (zero or negative: none); on the grid itself, or on a latitude-longitude grid of its own.
    grid
        Masked cells take part as others do.

    Returns
    -------
    labels
        Position in `names`, int64, shape ``(size,)``; -1 where no region is.
    names
        In the file's order. Regions of one name are one. One that holds no centre keeps its name.

    Raises
    ------
    DataError
        A file that is missing, damaged or of something else than regions; polygons that are not in degrees,
        cross themselves or lie on each other at some cell; no region that holds any cell's centre; shapely
        or pyshp are needed and not installed.
    """
    file = Path(path)
    if not file.exists():
        raise DataError("file not found", where=str(file))
    labels, names = _found(file, grid)
    if not (labels >= 0).any():
        hint = "it lies elsewhere, or is smaller than a cell: a cell belongs to what holds its centre"
        raise DataError(f"no region holds the centre of any cell of the {grid}", where=str(file), hint=hint)
    return labels, names


def region_mask(path: str | Path, grid: Grid, name: str | None = None) -> Flags:
    """Return which cells lie in a region of a file.

    Parameters
    ----------
    path, grid
        As for `region_labels`.
    name
        Which region; None: in any of them.

    Returns
    -------
    mask
        Shape ``(size,)``.

    Raises
    ------
    DataError
        As `region_labels`; no region of that name, or one without cells.
    """
    labels, names = region_labels(path, grid)
    if name is None:
        return np.asarray(labels >= 0)
    if name not in names:
        raise DataError(f"no region {name!r}", where=str(path), hint=did_you_mean(name, names))
    mask = np.asarray(labels == names.index(name))
    if not mask.any():
        what = f"region {name!r} holds the centre of no cell of the {grid}"
        raise DataError(what, where=str(path), hint="it lies elsewhere, or is smaller than a cell")
    return mask


def _found(file: Path, grid: Grid) -> tuple[Labels, tuple[str, ...]]:
    kind = file.suffix.lower()
    if kind in GEOJSON:
        return outlines.labels(outlines.of_geojson(file), grid, str(file))
    if kind == SHAPEFILE:
        return outlines.labels(outlines.of_shapefile(file), grid, str(file))
    return region_maps.labels(file, grid)
