"""Grids of rows and columns about a rotated pole, as regional models use them (CF, appendix F)."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere
from tradewind.couplers.grids.making import bounds

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

MAPPING = "rotated_latitude_longitude"


def mapping(ds: xr.Dataset) -> xr.DataArray | None:
    """Return the grid mapping of a rotated pole, if a dataset has one with its two axes."""
    if axis(ds, "grid_longitude") is None or axis(ds, "grid_latitude") is None:
        return None
    found = [n for n, v in ds.variables.items() if v.attrs.get("grid_mapping_name") == MAPPING]
    return ds[found[0]] if len(found) == 1 else None


def axis(ds: xr.Dataset, name: str) -> xr.DataArray | None:
    """Return the one-dimensional coordinate with a standard name, or None."""
    found = [n for n, v in ds.variables.items() if v.attrs.get("standard_name") == name and v.ndim == 1]
    return ds[found[0]] if len(found) == 1 else None


def turned_back(about: dict[str, object], x: Array, y: Array) -> tuple[Array, Array]:
    """Return true longitudes and latitudes in degrees of places in the rotated system.

    With P the north pole of the rotated system and X the place (0, 0) of it, a unit vector v' there is
    ``v'_x X + v'_y (P x X) + v'_z P`` in true coordinates.
    """
    pole = [float(str(about[f"grid_north_pole_{name}"])) for name in ("longitude", "latitude")]
    east = float(str(about.get("north_pole_grid_longitude", 0.0)))
    top, front = sphere.unit_vectors(np.array([pole[0], pole[0] + 180]), np.array([pole[1], 90 - pole[1]]))
    local = sphere.unit_vectors(x - east, y)
    return sphere.lon_lat(local @ np.stack([front, np.cross(top, front), top]))


def places(ds: xr.Dataset, about: xr.DataArray) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return centres ``(ny, nx)`` and nodes ``(ny + 1, nx + 1)``, true degrees."""
    axes = (axis(ds, "grid_longitude"), axis(ds, "grid_latitude"))
    x, y = (np.asarray(a.values, dtype=np.float64) for a in axes if a is not None)
    edges = (_edges(ds, axes[0], x), _edges(ds, axes[1], y))
    centres = turned_back(about.attrs, *np.meshgrid(x, y))
    return centres, turned_back(about.attrs, *np.meshgrid(*edges))


def _edges(ds: xr.Dataset, variable: xr.DataArray | None, centres: Array) -> Array:
    name = None if variable is None else variable.attrs.get("bounds")
    given = ds[name].values if name in ds.variables else None
    return bounds.edges(centres, given, "rotated axis")
