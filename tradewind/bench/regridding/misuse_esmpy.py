"""The wrong calls of `misuse_cases` as users of ESMPy would make them, one in a process of its own.

``python -m tradewind.bench.regridding.misuse_esmpy NAME`` prints what came of it, as JSON: what was
raised, or the range of the field that was returned. Fields lie between 1 and 2: results
belong there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers import esmf

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAT, LON = np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10)
Wrong: TypeAlias = Callable[[Any], Any]
"""Takes the module esmpy, returns the regridded field as an array."""


def edges(axis: Any) -> Any:
    """Return edges halfway between centres."""
    step = np.diff(axis)
    inner = axis[:-1] + step / 2
    return np.concatenate([[axis[0] - step[0] / 2], inner, [axis[-1] + step[-1] / 2]])


def grid(e: Any, lat: Any = LAT, lon: Any = LON, mask: Any = None) -> Any:
    """Return a grid with centres and corners, made as ESMPy's documentation shows; latitudes are not cut."""
    out = e.Grid(
        np.array([len(lon), len(lat)]), staggerloc=[e.StaggerLoc.CENTER], coord_sys=e.CoordSys.SPH_DEG
    )
    out.add_coords([e.StaggerLoc.CORNER])
    for stagger, x, y in ((e.StaggerLoc.CENTER, lon, lat), (e.StaggerLoc.CORNER, edges(lon), edges(lat))):
        out.get_coords(0, stagger)[...] = np.asarray(x)[:, None]
        out.get_coords(1, stagger)[...] = np.asarray(y)[None, :]
    if mask is not None:
        out.add_item(e.GridItem.MASK, e.StaggerLoc.CENTER)[...] = mask
    return out


def shifted(e: Any) -> Any:
    """Return the source, half a cell to the east."""
    return grid(e, LAT, LON + 5.0)


def target(e: Any) -> Any:
    """Return the target of all cases."""
    return grid(e, np.arange(-82.5, 90, 15), np.arange(7.5, 360, 15))


def filled(field: Any) -> Any:
    """Fill a field with values from 1 to 2."""
    field.data[...] = np.linspace(1.0, 2.0, field.data.size).reshape(field.data.shape)
    return field


def mesh(e: Any, lon: Any, lat: Any, faces: Any = (0, 1, 2, 3)) -> Any:
    """Regrid from a mesh of one cell to a region within it."""
    out = e.Mesh(parametric_dim=2, spatial_dim=2, coord_sys=e.CoordSys.SPH_DEG)
    n = len(lon)
    nodes = np.stack([lon, lat], axis=1).ravel().astype(float)
    out.add_nodes(n, np.arange(n) + 1, nodes, np.zeros(n))
    out.add_elements(1, np.array([1]), np.array([len(faces)]), np.array(faces))
    given = filled(e.Field(out, meshloc=e.MeshLoc.ELEMENT))
    # all of it lies within the square, so that all of it would be 1
    inside = np.array([2.5, 7.5])
    return regridded(e, given, e.Field(grid(e, inside, inside)))


def stored(e: Any, a: Any, b: Any, method: str = "CONSERVE", **options: Any) -> Any:
    """Make the weights, with ESMPy's defaults for what is not asked for."""
    return e.Regrid(
        a, b, regrid_method=e.RegridMethod[method], unmapped_action=e.UnmappedAction.IGNORE, **options
    )


def regridded(e: Any, a: Any, b: Any, method: str = "CONSERVE", **options: Any) -> Any:
    """Make the weights and apply them."""
    op = stored(e, a, b, method, **options)
    return op(a, b).data


def between(e: Any, here: Any, there: Any = None, method: str = "CONSERVE", **options: Any) -> Any:
    """Regrid between two grids."""
    a, b = filled(e.Field(here)), e.Field(there or target(e))
    return regridded(e, a, b, method, **options)


def applied(e: Any, change: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Any:
    """Make sound weights, and apply them to other fields than those they were made for."""
    a, b = filled(e.Field(grid(e))), e.Field(target(e))
    op = stored(e, a, b)
    x, y = change(e, a, b)
    return op(x, y).data


def other_kind(e: Any, kind: Any) -> Any:
    """Apply weights to a source field of another type."""
    return applied(e, lambda e, a, b: (filled(e.Field(grid(e), typekind=kind)), b))


def members_last(e: Any) -> Any:
    """Give ESMPy's order, (longitude, latitude, member), members first."""
    a, b = e.Field(grid(e), ndbounds=[3]), e.Field(target(e), ndbounds=[3])
    a.data[...] = np.ones((3, *a.data.shape[:2]))
    return regridded(e, a, b)


def unflattened(e: Any) -> Any:
    """Give (latitude, longitude) where ESMPy wants (longitude, latitude)."""
    a, b = e.Field(grid(e)), e.Field(target(e))
    a.data[...] = np.ones((18, 36))
    return regridded(e, a, b)


def from_file(e: Any, change: Callable[[Any, Any, Any], tuple[Any, Any]], spoil: bool = False) -> Any:
    """Write weights, and read them for other fields."""
    a, b = filled(e.Field(grid(e))), e.Field(target(e))
    stored(e, a, b, filename="weights.nc")
    if spoil:
        path = Path("weights.nc")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    x, y = change(e, filled(a), filled(b))
    return e.RegridFromFile(x, y, filename="weights.nc")(x, y).data


def beyond_pole(e: Any) -> Any:
    """Latitudes from -75 to 95."""
    return between(e, grid(e, LAT + 10.0))


def nan_at(axis: Any) -> Any:
    """Return an axis with one missing value."""
    return np.where(axis == axis[3], np.nan, axis)


def no_corners(e: Any) -> Any:
    """Conservative between grids with centres only."""
    bare = e.Grid(np.array([36, 18]), staggerloc=[e.StaggerLoc.CENTER], coord_sys=e.CoordSys.SPH_DEG)
    bare.get_coords(0)[...], bare.get_coords(1)[...] = LON[:, None], LAT[None, :]
    return between(e, bare)


def unmapped(e: Any) -> Any:
    """Regrid from a region onto the globe."""
    return between(e, grid(e, np.arange(5.0, 50, 10), np.arange(5.0, 100, 10)), method="BILINEAR")


def no_overlap(e: Any) -> Any:
    """Two regions far apart."""
    lat = np.array([0.0, 10, 20])
    return between(e, grid(e, lat, lat), grid(e, lat, lat + 100.0))


def onto_points(e: Any) -> Any:
    """Conservative onto a location stream."""
    points = e.LocStream(1, coord_sys=e.CoordSys.SPH_DEG)
    points["ESMF:Lon"], points["ESMF:Lat"] = np.array([5.0]), np.array([5.0])
    return between(e, grid(e), points)


def in_a_thread(e: Any) -> Any:
    """Everything outside the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: between(e, grid(e))).result()


def some_ranks(e: Any) -> Any:
    """Make points and weights on the first of two ranks only."""
    if e.local_pet() > 0:
        return np.ones(1)
    points = e.LocStream(3, coord_sys=e.CoordSys.SPH_DEG)
    points["ESMF:Lon"], points["ESMF:Lat"] = np.array([0.0, 1, 2]), np.array([0.0, 1, 2])
    return between(e, points, points, "NEAREST_STOD")


def nan_in_field(e: Any) -> Any:
    """Regrid a field with a missing value."""
    a, b = filled(e.Field(grid(e))), e.Field(target(e))
    a.data[3, 3] = np.nan
    return regridded(e, a, b)


def negative_area(e: Any) -> Any:
    """Areas below 0 on the source."""
    here = grid(e)
    here.add_item(e.GridItem.AREA, e.StaggerLoc.CENTER)[...] = -1.0
    return between(e, here)


SQUARE = ([0, 10, 10, 0], [0, 0, 10, 10])
CALLS: dict[str, Wrong] = {
    "swapped_fields": lambda e: applied(e, lambda e, a, b: (filled(b), a)),
    "wrong_shape": lambda e: applied(e, lambda e, a, b: (filled(e.Field(grid(e, LAT[:-1]))), b)),
    "float32": lambda e: other_kind(e, e.TypeKind.R4),
    "integers": lambda e: other_kind(e, e.TypeKind.I4),
    "members_last": members_last,
    "unflattened": unflattened,
    "another_array": lambda e: applied(e, lambda e, a, b: (np.ones((36, 18)), b)),
    "swapped_in_file": lambda e: from_file(e, lambda e, a, b: (b, a)),
    "weights_of_others": lambda e: from_file(e, lambda e, a, b: (filled(e.Field(shifted(e))), b)),
    "damaged_file": lambda e: from_file(e, lambda e, a, b: (a, b), spoil=True),
    "radians": lambda e: between(e, grid(e, np.deg2rad(LAT), np.deg2rad(LON)), method="BILINEAR"),
    "beyond_pole": beyond_pole,
    "swapped_axes": lambda e: between(e, grid(e, LON, LAT), method="BILINEAR"),
    "unordered": lambda e: between(e, grid(e, LAT[[0, 2, 1, *range(3, 18)]])),
    "cyclic_point": lambda e: between(e, grid(e, LAT, np.arange(0.0, 361, 10))),
    "nan_centre": lambda e: between(e, grid(e, nan_at(LAT)), method="BILINEAR"),
    "nan_corner": lambda e: mesh(e, [0, 10, np.nan, 0], SQUARE[1]),
    "bow_tie": lambda e: mesh(e, [0, 10, 0, 10], SQUARE[1]),
    "clockwise": lambda e: mesh(e, SQUARE[0][::-1], SQUARE[1][::-1]),
    "degenerate": lambda e: mesh(e, [0, 10, 20, 30], [0] * 4),
    "no_corners": no_corners,
    "absent_node": lambda e: mesh(e, *SQUARE, (0, 1, 2, 9)),
    "mask_shape": lambda e: between(e, grid(e, mask=np.ones((18, 36))), src_mask_values=[0]),
    "all_masked": lambda e: between(e, grid(e, mask=np.zeros((36, 18))), src_mask_values=[0]),
    "no_overlap": no_overlap,
    "unmapped": unmapped,
    "unknown_method": lambda e: between(e, grid(e), method="BICUBIC"),
    "unknown_norm": lambda e: between(e, grid(e), norm_type=e.NormType["AREA"]),
    "onto_points": onto_points,
    "extrapolated": lambda e: between(e, grid(e), extrap_method=e.ExtrapMethod.NEAREST_STOD),
    "thread": in_a_thread,
    "some_ranks": some_ranks,
    "nan_in_field": nan_in_field,
    "negative_area": negative_area,
    "flux_bilinear": lambda e: between(e, grid(e), method="BILINEAR"),
    "amount_fracarea": lambda e: between(e, grid(e), norm_type=e.NormType.FRACAREA),
}  # fmt: skip
"""ESMPy has no adjoint, no other devices and no coverage threshold: these calls do not exist there."""


def outcome(values: Any) -> dict[str, Any]:
    """Return the range of a field, and how many of its values are 0 or missing."""
    found: NDArray[np.float64] = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
    sound = found[np.isfinite(found)]
    # what was in memory before: no arithmetic on values between 1 and 2 leads there
    size = np.abs(sound[sound != 0])
    left = int(((size < 1e-100) | (size > 1e100)).sum())
    ends = {"low": float(sound.min()), "high": float(sound.max())} if sound.size else {}
    return ends | {
        "zeros": int((found == 0).sum()),
        "left": left,
        "missing": int(found.size - sound.size),
        "cells": int(found.size),
    }


def main(name: str) -> None:
    """Make one call and print its outcome; what ESMPy raises ends the process."""
    share = esmf.start()
    found = outcome(CALLS[name](sys.modules["esmpy"]))
    if share.rank == 0:
        sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
