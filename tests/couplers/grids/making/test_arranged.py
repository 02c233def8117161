"""Cells that come listed flat are arranged as the grid that they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, GridKind
from tradewind.couplers.grids.making.arranged import arranged


def listed(grid: Grid) -> tuple:
    return (grid.lon, grid.lat), grid.places.angles_of(slice(None))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.integers(3, 12), st.booleans(), st.booleans(), st.floats(-180, 180))
def test_rows_and_columns_along_axes_are_recognised(ny, nx, north_first, westwards, west):
    lat, lon = np.linspace(-60, 60, ny), west + np.arange(nx) * 7.5
    grid = Grid.latlon(lat[::-1] if north_first else lat, lon[::-1] if westwards else lon)
    back = arranged(grid.shape, *listed(grid))
    assert back == grid
    assert back.kind is GridKind.LATLON


def test_turned_grids_stay_curvilinear(rotated):
    back = arranged(rotated.shape, *listed(rotated))
    assert back == rotated
    assert back.kind is GridKind.CURVILINEAR


@pytest.mark.parametrize("corner", range(4))
def test_one_moved_corner_is_enough_to_be_curvilinear(box, corner):
    centres, (lon, lat) = listed(box)
    lat = lat.copy()
    lat[20, corner] += 1e-6
    assert arranged(box.shape, centres, (lon, lat)).kind is GridKind.CURVILINEAR


def test_one_dimension_makes_a_mesh_or_points(box):
    centres, corners = listed(box)
    mesh, points = arranged((42,), centres, corners), arranged((42,), centres, None)
    assert (mesh.kind, points.kind) == (GridKind.MESH, GridKind.POINTS)
    assert np.array_equal(mesh.corners, box.corners)


def test_two_dimensions_without_corners_are_curvilinear(box):
    grid = arranged(box.shape, (box.lon, box.lat), None)
    assert grid.kind is GridKind.CURVILINEAR
    assert not grid.has_corners


def test_masks_come_along(box):
    mask = np.arange(42) % 3 > 0
    for shape in ((6, 7), (42,)):
        assert np.array_equal(arranged(shape, *listed(box), mask).mask, mask)
