"""Gradients from the means of neighbours: exact for constants, right to second order, absent at rims."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.weights.overlaps.adjacency import Adjacency
from tradewind.couplers.regrid.weights.overlaps.gradient import Gradient, gradient

ANY = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)).map(np.array)


def square(step: float, n: int = 3, lon: float = 0.0, **extras: object) -> Grid:
    """N x n cells about the equator."""
    middle = (np.arange(n) - (n - 1) / 2) * step
    edges = (np.arange(n + 1) - n / 2) * step
    return Grid.latlon(middle, lon + middle, lat_bounds=edges, lon_bounds=lon + edges, **extras)


def of_cells(grid: Grid, cells: list[int]) -> Gradient:
    points = Adjacency(grid).points[cells]
    return gradient(Adjacency(grid), np.array(cells), points, points)


def applied(made: Gradient, cells: list[int], field: np.ndarray) -> np.ndarray:
    rows = np.repeat(np.arange(len(cells)), np.diff(made.starts))
    out = made.own * field[cells][:, None]
    np.add.at(out, rows, made.value * field[made.cell][:, None])
    return out


def test_a_slope_to_the_east_points_east_and_is_as_steep():
    # at 0 E on the equator east is the y axis: a field of longitude in radians has the gradient (0, 1, 0)
    grid = square(0.1)
    got = applied(of_cells(grid, [4]), [4], np.deg2rad(grid.lon))
    assert np.allclose(got, [[0, 1, 0]], rtol=0, atol=1e-5)


def test_a_slope_to_the_north_points_north():
    grid = square(0.1)
    got = applied(of_cells(grid, [4]), [4], np.deg2rad(grid.lat))
    assert np.allclose(got, [[0, 0, 1]], rtol=0, atol=1e-5)


def test_a_ring_of_nearly_plane_squares_by_hand():
    # ring of side 2 h about the centre, area 4 h^2: a corner of it takes half of the two sides that meet
    # there, h along either axis; the middle of a side takes half of its two halves, h outwards, so the
    # neighbour in the east weighs h / (4 h^2) = 1 / (4 h) to the east
    h = np.deg2rad(0.01)
    made = of_cells(square(0.01), [4])
    east = made.value[list(made.cell).index(5)]
    north_east = made.value[list(made.cell).index(8)]
    assert np.allclose(east * h, [0, 0.25, 0], rtol=0, atol=1e-6)
    assert np.allclose(north_east * h, [0, 0.125, 0.125], rtol=0, atol=1e-6)


@pytest.mark.parametrize("lon", [0.0, 100.0, 180.0, 359.9])
def test_the_cell_itself_takes_what_the_neighbours_have_too_much(lon):
    grid = square(2.0, lon=lon)
    made = of_cells(grid, [4])
    assert np.abs(made.own + made.value.sum(axis=0)).max() <= 1e-12


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 20), st.floats(-60, 60), st.floats(-180, 180))
def test_gradients_lie_in_the_sphere(step, lat, lon):
    middle = np.array([-1.0, 0.0, 1.0]) * step / 2
    grid = Grid.latlon(lat + middle, lon + middle)
    made = of_cells(grid, [4])
    up = Adjacency(grid).points[4]
    assert np.abs(made.value @ up).max() <= 1e-12 * np.abs(made.value).max()


def error(direction: np.ndarray, lat: float, lon: float, step: float) -> float:
    """Error of the gradient of a field that is linear in space, in the sphere."""
    grid = Grid.latlon(lat + np.array([-step, 0, step]), lon + np.array([-step, 0, step]))
    points = Adjacency(grid).points
    up, got = points[4], applied(of_cells(grid, [4]), [4], points @ direction)[0]
    return float(np.abs(got - (direction - up * (up @ direction))).max())


@settings(max_examples=30, deadline=None)
@given(ANY, st.floats(10, 50), st.floats(-180, 180))
def test_the_gradient_of_a_linear_field_is_right_to_second_order(direction, lat, lon):
    assert error(direction, lat, lon, 1.0) <= 0.3 * error(direction, lat, lon, 2.0) + 1e-10


@settings(max_examples=30, deadline=None)
@given(ANY, st.floats(-50, 50), st.floats(-180, 180))
def test_where_the_ring_is_hollow_it_is_right_to_first_order(direction, lat, lon):
    # in the south the ring begins at a corner from which its area is too large, in ESMF and here
    assert error(direction, lat, lon, 1.0) <= 0.55 * error(direction, lat, lon, 2.0) + 1e-10


def test_constants_have_none():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    cells = list(range(grid.size))
    assert np.abs(applied(of_cells(grid, cells), cells, np.full(grid.size, 7.0))).max() <= 1e-13


def test_a_corner_of_a_region_has_none():
    # three neighbours in one quarter: the corner lies outside of their triangle
    made = of_cells(square(2.0), [0])
    assert not made.value.any()
    assert not made.own.any()


def test_a_rim_along_a_meridian_has_one():
    # the neighbours in the same column lie on one great circle with the cell: on the side is inside
    made = of_cells(square(2.0), [3])
    assert made.own.any()


def test_two_neighbours_are_not_enough():
    mask = np.zeros((3, 3), dtype=bool)
    mask[1] = True
    made = of_cells(square(2.0, mask=mask), [4])
    assert len(made.cell) == 2
    assert not made.value.any()


def test_masked_neighbours_are_left_out():
    mask = np.ones((3, 3), dtype=bool)
    mask[0, 0] = False
    made = of_cells(square(2.0, mask=mask), [4])
    assert list(made.cell) == [1, 2, 3, 5, 6, 7, 8]
    assert np.abs(made.own + made.value.sum(axis=0)).max() <= 1e-12


def test_triplets_leave_out_what_is_zero():
    grid = square(2.0)
    row, col, value = of_cells(grid, [0, 4]).triplets(np.array([0, 4]))
    assert set(row) == {4}
    assert sorted(col) == list(range(9))
    assert np.abs(value.sum(axis=0)).max() <= 1e-12


def test_a_gradient_does_not_depend_on_the_other_cells():
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    whole, one = of_cells(grid, list(range(grid.size))), of_cells(grid, [30])
    part = slice(whole.starts[30], whole.starts[31])
    assert np.array_equal(one.value, whole.value[part])
    assert np.array_equal(one.own[0], whole.own[30])
