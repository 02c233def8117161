"""Polygons with corners of their own: footprints of observations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import GridError

NAN, FILL = np.nan, 1e36
LON = np.array([[10.0, 12, 12, 10], [12, 14, 14, NAN], [11, 13, 12, 12]])
LAT = np.array([[40.0, 40, 42, 42], [40, 40, 42, NAN], [39, 39, 41, 41]])


def test_corners_end_in_nan_or_in_repetition():
    grid = Grid.polygons(LON, LAT)
    assert (grid.kind, grid.shape) == (GridKind.MESH, (3,))
    assert grid.lon_corners.tolist() == [[10, 12, 12, 10], [12, 14, 14, 14], [11, 13, 12, 12]]


def test_they_are_the_mesh_of_the_same_corners():
    mesh = Grid.mesh(LON[0], LAT[0], [[0, 1, 2, 3]])
    assert Grid.polygons(LON[:1], LAT[:1]) == mesh


def test_they_may_lie_on_each_other_more_often_than_the_sphere_is_large():
    # eighty times an eighth of the sphere
    lon, lat = np.tile([[0.0, 90, 0]], (80, 1)), np.tile([[0.0, 0, 90]], (80, 1))
    assert Grid.polygons(lon, lat).area.sum() == pytest.approx(80 * np.pi / 2)


def test_a_closing_corner_is_no_corner():
    closed = Grid.polygons([[0, 2, 2, 0, 0]], [[0, 0, 2, 2, 0]])
    open_ = Grid.polygons([[0, 2, 2, 0]], [[0, 0, 2, 2]])
    assert closed.area == pytest.approx(open_.area, rel=1e-15)
    assert (closed.lon[0], closed.lat[0]) == pytest.approx((open_.lon[0], open_.lat[0]))


@given(st.integers(3, 7), st.floats(-180, 180), st.floats(-80, 80), st.booleans())
def test_either_sense_and_any_longitude_give_the_same_cell(n, lon, lat, across):
    angle = 2 * np.pi * np.arange(n) / n
    x, y = lon + 3 * np.cos(angle), lat + 3 * np.sin(angle)
    plain = Grid.polygons(x[None], y[None])
    turned = Grid.polygons(x[None, ::-1] + (360 if across else 0), y[None, ::-1])
    assert turned.area == pytest.approx(plain.area, rel=1e-12)
    assert turned.area[0] > 0


def test_clockwise_triangles_still_repeat_their_last_corner():
    grid = Grid.polygons([[0.0, 1, 2, NAN]], [[0.0, 2, 0, NAN]])
    assert grid.lon_corners.tolist() == [[2, 1, 0, 0]]


def test_centres_masks_and_areas_are_taken():
    grid = Grid.polygons(LON, LAT, centres=([11, 13, 12], [41, 41, 40]), mask=[1, 1, 0], area=[1, 2, 3])
    assert grid.lon.tolist() == [11, 13, 12]
    assert grid.mask.tolist() == [True, True, False]
    assert grid.area.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("lon", "lat", "fault"),
    [
        ([[0, FILL, 1, 1]], [[0, FILL, 1, 0]], "cell 0 of 1 has a corner missing between others"),
        ([[0, NAN, 1, 1]], [[0, NAN, 1, 0]], "cell 0 of 1 has a corner missing between others"),
        ([[0, 1, 1, NAN]], [[0, 0, NAN, NAN]], "cell 0 of 1 has under three corners"),
        ([[NAN] * 3, [0, 1, 1]], [[NAN] * 3, [0, 0, 1]], "cell 0 of 2 has under three corners"),
        ([[0, 1, 0, 1]], [[0, 1, 1, 0]], r"sides that cross \(a bow-tie\)"),
        ([[0, 1, 1]], [[0, 0, 95]], "latitude 95 lies beyond a pole"),
        ([0, 1, 1], [0, 0, 1], r"corners of shapes \(3,\) and \(3,\)"),
        ([[0, 1]], [[0, 1]], "nv of 3 or more"),
        ([[0, 1, 1]], [[0, 0, 1, 1]], r"shapes \(1, 3\) and \(1, 4\)"),
    ],
)
def test_bad_corners(lon, lat, fault):
    with pytest.raises(GridError, match=fault):
        Grid.polygons(lon, lat)


def test_centres_come_one_a_polygon():
    with pytest.raises(GridError, match=r"centres of shapes \(2,\) and \(2,\) for 3 cells"):
        Grid.polygons(LON, LAT, centres=([11, 13], [41, 41]))


def test_pentagrams_cross_themselves():
    angle = 4 * np.pi * np.arange(5) / 5
    with pytest.raises(GridError, match="sides that cross"):
        Grid.polygons(5 * np.cos(angle)[None], 5 * np.sin(angle)[None])
