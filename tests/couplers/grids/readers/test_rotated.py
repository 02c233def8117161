"""Rotated poles: true places of the axes of regional models, and cells with corners."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid, GridKind, sphere
from tradewind.couplers.grids.readers import rotated

ABOUT = {
    "grid_mapping_name": "rotated_latitude_longitude",
    "grid_north_pole_latitude": 39.25,
    "grid_north_pole_longitude": -162.0,
}
X, Y = np.arange(-4.0, 5.0), np.arange(-3.0, 4.0)


def place(x: float, y: float, **more) -> list[float]:
    lon, lat = rotated.turned_back({**ABOUT, **more}, np.array([x]), np.array([y]))
    return [lon[0], lat[0]]


def dataset(**more) -> xr.Dataset:
    axis = {"units": "degrees"}
    return xr.Dataset(
        {"rotated_pole": ((), b"", ABOUT | more), "t": (("rlat", "rlon"), np.zeros((7, 9)))},
        {
            "rlat": ("rlat", Y, axis | {"standard_name": "grid_latitude"}),
            "rlon": ("rlon", X, axis | {"standard_name": "grid_longitude"}),
        },
    )


def test_the_origin_lies_opposite_the_pole():
    # 90 degrees south of the pole along its meridian: 162 W + 180 = 18 E, 90 - 39.25 = 50.75 N
    assert place(0, 0) == pytest.approx([18.0, 50.75])


def test_the_rotated_pole_lies_where_it_is_said_to():
    assert place(77, 90) == pytest.approx([198.0, 39.25])


def test_the_true_north_pole_lies_at_its_longitude_in_the_rotated_grid():
    assert place(25, 39.25, north_pole_grid_longitude=25.0)[1] == pytest.approx(90.0)


def test_a_pole_that_is_not_rotated_changes_nothing():
    straight = {"grid_north_pole_latitude": 90.0, "grid_north_pole_longitude": 180.0}
    assert place(31, -12, **straight) == pytest.approx([31.0, -12.0])


def test_axes_about_a_rotated_pole_make_a_curvilinear_grid_with_corners():
    grid = Grid.from_dataset(dataset())
    assert (grid.kind, grid.shape, grid.dims) == (GridKind.CURVILINEAR, (7, 9), ("rlat", "rlon"))
    assert (grid.lon[31], grid.lat[31]) == pytest.approx((18.0, 50.75))
    # turning changes no area: cells of one degree about the equator of the rotated grid
    assert grid.area == pytest.approx(Grid.latlon(Y, X).area, rel=1e-11)


def with_centres(shift: float) -> xr.Dataset:
    lon, lat = rotated.turned_back(ABOUT, *np.meshgrid(X, Y))
    east, north = {"standard_name": "longitude"}, {"standard_name": "latitude"}
    return dataset().assign_coords(
        lon=(("rlat", "rlon"), lon + shift, east), lat=(("rlat", "rlon"), lat, north)
    )


def test_centres_of_the_file_get_the_corners_of_its_axes():
    grid = Grid.from_dataset(with_centres(0.0))
    assert grid.has_corners
    assert np.allclose(grid.corners, Grid.from_dataset(dataset()).corners, rtol=0, atol=1e-14)


def test_centres_that_are_not_those_of_the_axes_get_no_corners():
    assert not Grid.from_dataset(with_centres(0.5)).has_corners


def test_places_are_turned_and_not_distorted():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-180, 180, 50), rng.uniform(-90, 90, 50)
    before = sphere.unit_vectors(x, y)
    after = sphere.unit_vectors(*rotated.turned_back(ABOUT, x, y))
    assert np.allclose(before @ before.T, after @ after.T, rtol=0, atol=1e-14)
