"""Grids of the regridding benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import Grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class GridPair:
    """A source and a target that are made when asked for: each call gives grids that know nothing yet."""

    source: Callable[[], Grid]
    target: Callable[[], Grid]


def equal_angle(nx: int, ny: int) -> Grid:
    """Return a global grid of equal angles, edges from 0E and 90S."""
    lon, lat = np.linspace(0.0, 360.0, nx + 1), np.linspace(-90.0, 90.0, ny + 1)
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in (lat, lon)]
    return Grid.latlon(*middle, lat_bounds=lat, lon_bounds=lon)


def half_polar() -> Grid:
    """Return the 2 x 2.5 degree grid (144 x 91) with half cells at the poles and a centre on 180W."""
    edges = np.concatenate([[-90.0], np.arange(-89.0, 90.0, 2.0), [90.0]])
    lon = -180.0 + 2.5 * np.arange(144)
    return Grid.latlon((edges[1:] + edges[:-1]) / 2, lon, lat_bounds=edges)


def rotated(nx: int, ny: int, pole: tuple[float, float]) -> Grid:
    """Return an equal-angle grid whose north pole is moved to `pole` (longitude, latitude): curvilinear."""
    lon, lat = np.meshgrid(np.linspace(0.0, 360.0, nx + 1), np.linspace(-90.0, 90.0, ny + 1))
    lon[:, -1] = lon[:, 0]
    x, y = np.meshgrid((np.arange(nx) + 0.5) * 360.0 / nx, -90.0 + (np.arange(ny) + 0.5) * 180.0 / ny)
    return Grid.curvilinear(*_turned(x, y, pole), *_turned(lon, lat, pole))


def _turned(lon: Array, lat: Array, pole: tuple[float, float]) -> tuple[Array, Array]:
    """Return where the points of a sphere lie whose own pole is moved to `pole`."""
    x, y, tilt = np.deg2rad(lon), np.deg2rad(lat), np.deg2rad(90.0 - pole[1])
    along, across, up = np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)
    turned = along * np.cos(tilt) + up * np.sin(tilt)
    z = np.clip(up * np.cos(tilt) - along * np.sin(tilt), -1.0, 1.0)
    return (np.rad2deg(np.arctan2(across, turned)) + pole[0]) % 360.0, np.rad2deg(np.arcsin(z))


PAIRS = {
    "ll144x143->ll360x180": GridPair(lambda: equal_angle(144, 143), lambda: equal_angle(360, 180)),
    "ll360x180->ll144x143": GridPair(lambda: equal_angle(360, 180), lambda: equal_angle(144, 143)),
    "ll288x192->ll144x91": GridPair(lambda: equal_angle(288, 192), half_polar),
}
"""The pairs of the reference table without weight files, by their names there."""
LARGE = GridPair(lambda: equal_angle(1440, 720), lambda: equal_angle(576, 288))
"""The pair whose times are compared."""
ROTATED = GridPair(lambda: rotated(1440, 720, (198.0, 39.25)), lambda: rotated(576, 288, (-40.0, 55.0)))
"""A pair of equal size without any order in latitude and longitude."""
