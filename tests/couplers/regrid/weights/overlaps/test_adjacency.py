"""Who is around whom: by hand on structured grids and meshes."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.weights.overlaps.adjacency import Adjacency


def around(grid: Grid, cell: int) -> list[int]:
    starts, found = Adjacency(grid).around(np.array([cell]))
    assert list(starts) == [0, len(found)]
    return list(found)


def region(**extras: object) -> Grid:
    return Grid.latlon([0.0, 1.0, 2.0], [10.0, 11.0, 12.0, 13.0], **extras)


def globe() -> Grid:
    return Grid.latlon([-60.0, 0.0, 60.0], [0.0, 90.0, 180.0, 270.0])


def test_eight_are_around_an_inner_cell():
    assert around(region(), 5) == [0, 1, 2, 4, 6, 8, 9, 10]


def test_three_are_around_a_corner():
    assert around(region(), 0) == [1, 4, 5]


def test_columns_close_around_the_globe():
    assert around(globe(), 4) == [0, 1, 3, 5, 7, 8, 9, 11]


def test_rows_end_at_the_poles():
    # all four cells of the last row touch the pole, but as in ESMF only those beside are neighbours
    assert around(globe(), 8) == [4, 5, 7, 9, 11]


def test_masked_cells_are_nobodys_neighbours():
    mask = np.ones((3, 4), dtype=bool)
    mask[1, 2] = False
    assert around(region(mask=mask), 5) == [0, 1, 2, 4, 8, 9, 10]


@pytest.fixture
def fan() -> Grid:
    """Three triangles about one node, a quadrilateral beside, and one that nobody touches."""
    lon = [0.0, 10.0, 0.0, -10.0, 20.0, 20.0, 40.0, 50.0, 45.0]
    lat = [0.0, 0.0, 10.0, 0.0, 0.0, 10.0, 0.0, 0.0, 9.0]
    faces = [[0, 1, 2, -1], [0, 2, 3, -1], [1, 4, 5, 2], [6, 7, 8, -1]]
    return Grid.mesh(lon, lat, faces)


def test_cells_of_a_mesh_that_share_a_node_are_neighbours(fan):
    assert around(fan, 0) == [1, 2]
    assert around(fan, 1) == [0, 2]
    assert around(fan, 3) == []


def test_a_masked_cell_of_a_mesh_is_left_out(fan):
    assert around(fan.with_mask([True, False, True, True]), 0) == [2]


def test_many_cells_at_once(fan):
    starts, found = Adjacency(fan).around(np.array([3, 2, 0]))
    assert list(starts) == [0, 0, 2, 4]
    assert list(found) == [0, 1, 1, 2]


def test_the_mean_corner_of_a_triangle_counts_three(fan):
    corners = fan.corners[0][:3]
    expected = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
    assert np.abs(Adjacency(fan).points[0] - expected).max() <= 1e-15


def test_the_pole_counts_twice_in_rows_and_columns():
    # corners at 30 N 0 E and 90 E, and twice the pole: as ESMF has it
    corners = globe().corners[8]
    expected = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
    assert np.abs(Adjacency(globe()).points[8] - expected).max() <= 1e-15


@pytest.mark.parametrize("turn", [slice(None), slice(None, None, -1)])
def test_mean_corners_do_not_depend_on_the_order_of_rows(turn):
    lat = np.array([-60.0, 0.0, 60.0])[turn]
    points = Adjacency(Grid.latlon(lat, [0.0, 90.0, 180.0, 270.0])).points.reshape(3, 4, 3)[turn]
    assert np.abs(points - Adjacency(globe()).points.reshape(3, 4, 3)).max() <= 1e-15
