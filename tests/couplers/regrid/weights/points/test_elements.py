"""Elements of sources: which centres they join, which are dropped, what pole points are made of."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.couplers.regrid.weights.points.elements import between_centres, elements_of, sides

NONE = Poles(PoleKind.NONE)


def test_rows_and_columns_make_quadrilaterals(box):
    elements = elements_of(box, Poles())
    assert len(elements.corners) == 5 * 6
    assert elements.corners[0].tolist() == [0, 1, 8, 7]
    assert np.array_equal(elements.places, box.centres)


def test_columns_that_go_around_close(coarse):
    assert len(elements_of(coarse, NONE).corners) == 5 * 12


def test_each_pole_adds_a_triangle_a_column(coarse):
    elements = elements_of(coarse, Poles(PoleKind.ALLAVG))
    assert len(elements.corners) == 5 * 12 + 2 * 12
    assert (elements.corners[60:, 3] == -1).all()
    assert elements.places[72:].tolist() == [[0, 0, -1], [0, 0, 1]]


def test_a_point_for_each_triangle_where_each_has_its_own_mean(coarse):
    elements = elements_of(coarse, Poles(PoleKind.NPNTAVG, 2))
    assert len(elements.places) == 72 + 24
    assert np.diff(elements.starts).tolist() == [2] * 24


def test_elements_with_a_masked_corner_are_dropped():
    mask = np.ones((6, 12))
    mask[3, 4] = 0
    grid = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=mask)
    corners = elements_of(grid, NONE).corners
    assert len(corners) == 60 - 4
    assert not (corners == 3 * 12 + 4).any()


def test_masks_of_a_mesh_drop_triangles_not_whole_polygons(triangles):
    whole = between_centres(triangles)
    cell = int(whole[len(whole) // 2, 0])
    mask = np.arange(triangles.size) != cell
    masked = Grid.mesh(
        triangles.lon_corners.ravel(),
        triangles.lat_corners.ravel(),
        np.arange(triangles.size * 3).reshape(-1, 3),
        centres=(triangles.lon, triangles.lat),
        mask=mask,
    )
    left = elements_of(masked, NONE).corners
    assert len(left) == len(whole) - (whole == cell).any(axis=1).sum()


def test_entries_of_pole_points_become_those_of_their_row(coarse):
    elements = elements_of(coarse, Poles(PoleKind.ALLAVG))
    row, col, value = elements.of_cells(np.array([7, 7]), np.array([3, 73]), np.array([0.4, 0.6]))
    assert row.tolist() == [7] * 13
    assert col.tolist() == [3, 60, 71, 70, 69, 68, 67, 66, 65, 64, 63, 62, 61]
    assert value == pytest.approx([0.4] + [0.05] * 12)


def test_entries_without_pole_points_stay_as_they_are(coarse):
    entries = np.array([1, 2]), np.array([3, 4]), np.array([0.5, 0.5])
    for before, after in zip(entries, elements_of(coarse, Poles()).of_cells(*entries), strict=True):
        assert np.array_equal(before, after)


def test_sides_of_a_quadrilateral_and_a_triangle():
    a, b = sides(np.array([[0, 1, 2, 3], [4, 5, 6, -1]]))
    assert sorted(zip(a.tolist(), b.tolist(), strict=True)) == sorted(
        (*pair[::way],)
        for way in (1, -1)
        for pair in [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 4)]
    )


def test_one_row_has_no_elements():
    row = Grid.latlon([10.0], np.arange(0.0, 360, 30), lat_bounds=[5, 15])
    assert len(elements_of(row, Poles()).corners) == 0
