"""The arithmetic that follows ESMF's: right up to rounding, whatever its bits."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights.overlaps import rounding

ONE = np.array([0])


def polygon(lon: list[float], lat: list[float]) -> np.ndarray:
    return sphere.unit_vectors(np.array(lon), np.array(lat))


def meeting(subject: np.ndarray, clip: np.ndarray) -> np.ndarray:
    return rounding.middles(subject[None], clip[None], ONE, ONE)[0]


BOX = polygon([0, 10, 10, 0], [0, 0, 10, 10])


def test_corners_are_the_grids_up_to_rounding():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    assert np.abs(rounding.corners(grid, np.arange(grid.size)) - grid.corners).max() <= 1e-15


def test_the_last_column_ends_in_the_nodes_of_the_first():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    corners = rounding.corners(grid, slice(None)).reshape(6, 12, 4, 3)
    assert np.array_equal(corners[:, -1, 1], corners[:, 0, 0])
    assert np.array_equal(corners[:, -1, 2], corners[:, 0, 3])


def test_some_cells_have_the_bits_of_all():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    some = np.array([3, 11, 23, 40])
    assert np.array_equal(rounding.corners(grid, some), rounding.corners(grid, slice(None))[some])


def test_poles_are_points():
    grid = Grid.latlon([-45.0, 45.0], [0.0, 90.0, 180.0, 270.0])
    corners = rounding.corners(grid, np.array([4]))[0]
    assert np.array_equal(corners[2], [0, 0, 1])


def test_a_polygon_within_another_stays_itself():
    small = polygon([2, 4, 4, 2], [2, 2, 4, 4])
    found = meeting(small, BOX)
    assert found[0] == pytest.approx(sphere.polygon_areas(small[None])[0], rel=1e-12)
    assert np.allclose(found[1:], sphere.centroids(small[None])[0], rtol=0, atol=1e-15)


def test_half_of_a_box_has_its_middle_in_the_middle_of_that_half():
    found = meeting(BOX, polygon([5, 20, 20, 5], [-10, -10, 20, 20]))
    lon, _ = sphere.lon_lat(found[1:])
    assert float(lon) == pytest.approx(7.5, abs=0.01)


def test_boxes_that_share_a_side_share_nothing():
    assert not meeting(BOX, polygon([10, 20, 20, 10], [0, 0, 10, 10])).any()


def test_boxes_apart_share_nothing():
    assert not meeting(BOX, polygon([30, 40, 40, 30], [0, 0, 10, 10])).any()


def test_sides_in_common_add_no_corner():
    # clip and subject have the side along the meridian in common: four corners, not five
    lower = polygon([0, 10, 10, 0], [0, 0, 5, 5])
    found = meeting(BOX, lower)
    assert np.allclose(found[1:], sphere.centroids(lower[None])[0], rtol=0, atol=1e-13)


def test_a_repeated_corner_counts_once():
    triangle = polygon([2, 4, 4], [2, 2, 4])
    padded = np.concatenate([triangle, triangle[-1:]])
    assert np.array_equal(meeting(padded, BOX), meeting(triangle, BOX))


def test_a_triangle_of_right_angles_has_an_eighth_of_the_sphere():
    assert rounding.area(np.eye(3), 3) == pytest.approx(np.pi / 2, abs=1e-14)


def test_triangles_count_whichever_way_they_turn():
    assert rounding.area(np.ascontiguousarray(np.eye(3)[::-1]), 3) == pytest.approx(np.pi / 2, abs=1e-14)


def test_bearings_grow_counter_clockwise():
    eye = np.array([1.0, 0.0, 0.0])
    turn = np.deg2rad(np.arange(-179.0, 180, 10))
    ring = np.stack([np.full_like(turn, 0.9), 0.1 * np.cos(turn), 0.1 * np.sin(turn)], axis=1)
    found = [rounding.bearing(np.array([0.9, 0.1, 0.0]), p, eye) for p in ring]
    assert (np.diff(found) > 0).all()
