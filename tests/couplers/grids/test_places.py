"""Corners made on demand of two axes are those of a grid that lists them all."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, places, sphere
from tradewind.couplers.grids.places import Axes, Listed


def axes(x_edges, y_edges) -> Axes:
    x, y = np.array(x_edges, dtype=float), np.array(y_edges, dtype=float)
    return Axes((x[1:] + x[:-1]) / 2, (y[1:] + y[:-1]) / 2, x, y)


def listed(of: Axes) -> Listed:
    return Listed(of.lon, of.lat, *(c.copy() for c in of.angles_of(slice(None))))


def test_corners_of_boxes_run_around_each_cell():
    lon, lat = axes([0, 1, 2], [0, 5]).angles_of(slice(None))
    assert lon.tolist() == [[0, 1, 1, 0], [1, 2, 2, 1]]
    assert lat.tolist() == [[0, 0, 5, 5], [0, 0, 5, 5]]


@pytest.mark.parametrize("x", [1, -1], ids=["eastwards", "westwards"])
@pytest.mark.parametrize("y", [1, -1], ids=["northwards", "southwards"])
def test_corners_run_counter_clockwise_whichever_way_the_axes_run(x, y):
    made = axes([0, x, 2 * x], [0, 10 * y, 30 * y])
    assert (sphere.polygon_areas(made.corners_of(slice(None))) > 0).all()


@given(st.lists(st.integers(0, 41), max_size=9))
def test_some_corners_are_those_of_all(wanted):
    made, cells = axes(range(0, 8), range(10, 80, 10)), np.array(wanted, dtype=np.int64)
    assert np.array_equal(made.corners_of(cells), made.corners_of(slice(None))[cells])
    lon, lat = made.angles_of(cells)
    assert np.array_equal(lon, made.angles_of(slice(None))[0][cells])
    assert np.array_equal(lat, made.angles_of(slice(None))[1][cells])


def test_vectors_made_of_axes_are_those_of_the_angles():
    made = axes(np.linspace(-180, 180, 38), np.linspace(-90, 90, 20))
    assert np.array_equal(made.corners_of(slice(None)), listed(made).corners_of(slice(None)))


def test_cells_may_be_chosen_by_flags():
    made = axes([0, 1, 2], [0, 5])
    for of in (made, listed(made)):
        assert of.angles_of(np.array([False, True]))[0].tolist() == [[1, 2, 2, 1]]


def test_centres_are_flat_rows_first():
    made = axes([0, 2, 4], [0, 10, 20])
    assert made.lon.tolist() == [1, 3, 1, 3]
    assert made.lat.tolist() == [5, 5, 15, 15]


def test_blocks_cover_every_cell_once(monkeypatch):
    monkeypatch.setattr(places, "BLOCK", 4)
    assert [(s.start, s.stop) for s in places.blocks(10)] == [(0, 4), (4, 8), (8, 10)]


def test_walking_in_blocks_changes_no_digit(monkeypatch, coarse):
    whole = places.polygon_areas(coarse.places, coarse.size)
    corners = places.every_corner(coarse.places, coarse.size)
    monkeypatch.setattr(places, "BLOCK", 5)
    assert np.array_equal(places.polygon_areas(coarse.places, coarse.size), whole)
    assert np.array_equal(places.every_corner(coarse.places, coarse.size), corners)


def test_a_large_rectilinear_grid_costs_its_axes_until_its_cells_are_asked_for():
    # a million cells: their corners alone would take 64 MB
    tracemalloc.start()
    grid = Grid.latlon(-90 + 0.25 * np.arange(0.5, 720), 0.25 * np.arange(1440))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grid.size == 1_036_800
    assert peak < 4 * grid.size  # the mask, one byte a cell, and little else


def test_clockwise_cells_alone_are_turned():
    lon = np.array([[[0.0, 1, 1, 0], [1, 1, 2, 2]]])
    lat = np.array([[[0.0, 0, 1, 1], [0, 1, 1, 0]]])
    grid = Grid.curvilinear([[0.5, 1.5]], [[0.5, 0.5]], lon, lat)
    assert grid.lon_corners.tolist() == [[0, 1, 1, 0], [2, 2, 1, 1]]
    assert lon[0, 1].tolist() == [1, 1, 2, 2]  # the caller's array is left alone
