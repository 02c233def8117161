"""Edges and corners of cells: given, guessed, and turned the right way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.grids import checks, sphere, topology
from tradewind.couplers.grids.making import bounds
from tradewind.errors import GridError


def values(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=float)


def test_edges_stand_half_way_and_the_last_as_far_out_as_in():
    assert bounds.edges(values(0, 2, 6), None, "x").tolist() == [-1, 1, 4, 8]


@given(st.lists(st.floats(0.1, 5), min_size=2, max_size=12), st.booleans())
def test_centres_lie_between_their_edges(steps, falling):
    centres = np.cumsum(steps) * (-1 if falling else 1)
    edges = bounds.edges(centres, None, "x")
    low, high = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
    assert ((low < centres) & (centres < high)).all()


@given(st.integers(2, 30), st.floats(-100, 100), st.floats(0.1, 10))
def test_regular_centres_have_regular_edges(n, start, step):
    centres = start + step * np.arange(n)
    assert np.allclose(np.diff(bounds.edges(centres, None, "x")), step, rtol=1e-9)


@pytest.mark.parametrize("order", [1, -1])
def test_pairs_of_bounds_are_joined_in_the_order_of_the_centres(order):
    pairs = values(0, 1, 1, 3, 3, 4).reshape(3, 2)[::order]
    edges = bounds.edges(values(0.5, 2, 3.5)[::order], pairs, "x")
    assert edges.tolist() == values(0, 1, 3, 4)[::order].tolist()


def test_pairs_may_be_given_upside_down():
    pairs = values(1, 0, 3, 1).reshape(2, 2)
    assert bounds.edges(values(0.5, 2), pairs, "x").tolist() == [0, 1, 3]


def test_latitude_edges_are_cut_at_the_poles():
    assert bounds.latitude_edges(values(-90, -60, -30), None, "lat").tolist() == [-90, -75, -45, -15]


def test_half_polar_rows_are_known_in_either_order():
    up = values(-89, -86, -82, -78)
    assert bounds.latitude_edges(up, None, "lat").tolist() == [-90, -88, -84, -80, -76]
    assert bounds.latitude_edges(-up, None, "lat").tolist() == [90, 88, 84, 80, 76]


def test_irregular_rows_near_a_pole_are_not_taken_for_half_polar():
    # the step before the last is 3.1, not three quarters of 4
    got = bounds.latitude_edges(values(-89.1, -86, -82, -78), None, "lat")
    assert got[1] == pytest.approx(-87.55)


def test_longitude_bounds_are_moved_to_their_centres():
    pairs = values(350, 360, 0, 10).reshape(2, 2)
    assert bounds.longitude_edges(values(355, 365), pairs, "lon").tolist() == [350, 360, 370]


def test_nodes_become_corners_of_cells():
    nodes = np.arange(6.0).reshape(2, 3)
    assert bounds.quads(nodes).tolist() == [[0, 1, 4, 3], [1, 2, 5, 4]]


@pytest.mark.parametrize("start", [0.0, 170.0, 350.0, -10.0])
def test_longitudes_are_unwrapped(start):
    wrapped = (start + np.arange(5) * 5.0) % 360
    assert np.allclose(np.diff(checks.axis(wrapped, "lon", 360.0)), 5)


def test_longitudes_that_need_no_unwrapping_keep_their_digits():
    lon = np.arange(10) * 0.1
    assert checks.axis(lon, "lon", 360.0) is lon


def test_latitudes_are_not_wrapped():
    with pytest.raises(GridError, match="neither increasing nor decreasing"):
        checks.axis(values(80, 85, -85), "lat")


def test_longitudes_once_around_are_duplicated():
    with pytest.raises(GridError, match="0 and 360 are duplicated longitudes"):
        checks.axis(values(0, 90, 180, 270, 360), "lon", 360.0)


def test_padded_faces_repeat_their_last_corner():
    assert topology.padded_faces([[0, 1, 2, -1, -1]], 3).tolist() == [[0, 1, 2, 2, 2]]


def test_repeated_corners_do_not_pull_a_centre():
    corners = sphere.unit_vectors(values(0, 2, 1, 1, 1)[None], values(0, 0, 2, 2, 2)[None])
    assert np.allclose(
        topology.mean_of_distinct(corners), topology.mean_of_distinct(corners[:, :3]), atol=1e-16
    )


def test_corners_that_coincide_have_one_number():
    corners = sphere.unit_vectors(values(0, 360, 10)[None], values(5, 5, 5)[None])
    number = topology.node_numbers(corners)[0]
    assert number[0] == number[1] != number[2]


def test_quads_between_centres_close_around_the_globe(coarse, box):
    assert topology.centre_quads(coarse).shape == (5 * 12, 4)
    assert topology.centre_quads(coarse)[11].tolist() == [11, 0, 12, 23]
    assert topology.centre_quads(box).shape == (5 * 6, 4)
