"""Geometry: everything that makes two grids differ is in their fingerprint, and nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, topology
from tradewind.errors import GridError

LAT, LON = np.arange(-60.0, 61, 30), np.arange(0.0, 360, 40)


def changed() -> dict[str, Grid]:
    edges = np.append(np.arange(-75.0, 60, 30), 74.0)
    return {
        "a latitude": Grid.latlon(LAT + 1e-9, LON),
        "a longitude": Grid.latlon(LAT, np.append(LON[:-1], LON[-1] + 1e-9)),
        "an edge": Grid.latlon(LAT, LON, lat_bounds=np.append(edges[:5], 74.0)),
        "the order": Grid.latlon(LAT[::-1], LON),
        "the mask": Grid.latlon(LAT, LON, mask=np.eye(5, 9)),
        "the areas": Grid.latlon(LAT, LON, area=np.full((5, 9), 0.1)),
        "the kind": Grid.curvilinear(*np.meshgrid(LON, LAT)),
    }


@pytest.mark.parametrize("what", changed())
def test_every_difference_counts(what):
    assert changed()[what] != Grid.latlon(LAT, LON)


def test_given_bounds_that_are_the_guessed_ones_make_no_difference():
    assert Grid.latlon(LAT, LON, lat_bounds=np.arange(-75.0, 76, 30)) == Grid.latlon(LAT, LON)


def test_the_sign_of_zero_makes_no_difference():
    assert Grid.latlon([-1.0, -0.0, 1.0], [-0.0, 1.0]) == Grid.latlon([-1.0, 0.0, 1.0], [0.0, 1.0])


def test_names_of_dimensions_and_notes_make_no_difference():
    grid = Grid.latlon(LAT, LON)
    assert Grid.from_dataset(grid.to_dataset().rename(lat="rows", lon="columns")) == grid


@pytest.mark.parametrize("move", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("fixture", ["coarse", "rotated"])
def test_copies_are_equal(fixture, move, request):
    grid = request.getfixturevalue(fixture)
    assert move(grid) == grid


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 44), min_size=1, max_size=8))
def test_corners_of_some_cells_are_those_of_all(cells):
    grid, index = Grid.latlon(LAT, LON), np.array(cells)
    assert np.array_equal(grid.corners_of(index), grid.corners[index])


def test_points_have_no_corners_of_any_cell():
    points = Grid.points([1.0], [2.0])
    assert (points.has_corners, points.lon_corners, points.lat_corners) == (False, None, None)
    for ask in (lambda: points.corners_of(np.array([0])), lambda: points.polygon_area):
        with pytest.raises(GridError, match=r"points grid 1 .*: has no corners"):
            ask()


def test_shared_corners_have_one_number_in_the_order_of_their_places():
    numbers = topology.node_numbers(Grid.cubed_sphere(2).corners)
    assert sorted(set(numbers.ravel().tolist())) == list(range(26))
    # numbers follow x, then y, then z: the first is the corner farthest from (1, 0, 0) and south-west
    x = Grid.cubed_sphere(2).corners[..., 0]
    assert x.ravel()[np.argmin(numbers)] == pytest.approx(x.min())


@pytest.mark.parametrize("n", [2, 4])
def test_cells_of_a_cube_have_eight_neighbours_but_at_its_corners(n):
    grid = Grid.cubed_sphere(n)
    around = [len(grid.neighbours(np.array([c]))) for c in range(grid.size)]
    # the 24 cells at the 8 corners of the cube have seven
    assert sorted(around) == [8] * 24 + [9] * (grid.size - 24)
