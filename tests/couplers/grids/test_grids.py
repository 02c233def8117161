"""What grids are made of: centres, corners, areas, masks, fingerprints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, GridKind
from tradewind.errors import GridError


def test_centres_are_flat_in_c_order(box):
    assert box.shape == (6, 7)
    assert box.lon[:8].tolist() == [-109, -107, -105, -103, -101, -99, -97, -109]
    assert box.lat[:8].tolist() == [27, 27, 27, 27, 27, 27, 27, 29]


def test_corners_stand_half_way_between_centres(box):
    assert box.lon_corners[0].tolist() == [-110, -108, -108, -110]
    assert box.lat_corners[0].tolist() == [26, 26, 28, 28]


def test_corners_are_unit_vectors(box):
    assert box.corners.shape == (42, 4, 3)
    assert np.allclose(np.linalg.norm(box.corners, axis=-1), 1, atol=1e-15)


def test_a_global_grid_covers_the_sphere(coarse):
    assert coarse.area.sum() == pytest.approx(4 * np.pi, rel=1e-15)


@settings(max_examples=25)
@given(st.integers(3, 20), st.integers(2, 15), st.booleans(), st.floats(-180, 180))
def test_every_regular_global_grid_covers_the_sphere(nx, ny, north_first, west):
    lat = -90 + 180 * (np.arange(ny) + 0.5) / ny
    grid = Grid.latlon(lat[::-1] if north_first else lat, west + 360 * np.arange(nx) / nx)
    assert grid.area.sum() == pytest.approx(4 * np.pi, rel=1e-13)
    assert (grid.area > 0).all()


def test_rows_of_half_height_at_the_poles_are_known():
    # the 4 x 5 degree grid of GEOS-Chem: 89.0 is the middle of a row from 88 to 90
    lat = np.array([-89.0, *np.arange(-86.0, 87, 4), 89.0])
    grid = Grid.latlon(lat, np.arange(-180.0, 180, 5))
    assert grid.lat_corners[0].tolist() == [-90, -90, -88, -88]
    assert grid.lat_corners[72].tolist() == [-88, -88, -84, -84]
    assert grid.lat_corners[-1].tolist() == [88, 88, 90, 90]


def test_rows_at_the_poles_are_cut_there():
    grid = Grid.latlon(np.arange(-90.0, 91, 30), np.arange(0.0, 360, 30))
    assert (grid.lat_corners.min(), grid.lat_corners.max()) == (-90, 90)
    assert grid.area.sum() == pytest.approx(4 * np.pi, rel=1e-15)


def test_north_first_gives_the_same_cells_in_the_other_order():
    lat, lon = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    up, down = Grid.latlon(lat, lon), Grid.latlon(lat[::-1], lon)
    assert np.allclose(down.area.reshape(6, 12)[::-1], up.area.reshape(6, 12), rtol=1e-14)
    assert down.lat[0] == 75


def test_longitudes_may_cross_greenwich():
    grid = Grid.latlon([10.0, 11.0], [358.0, 359.0, 0.0, 1.0])
    assert grid.lon[:4].tolist() == [358, 359, 360, 361]
    assert (grid.area > 0).all()


def test_longitudes_may_run_westwards():
    grid = Grid.latlon([10.0, 11.0], [3.0, 2.0, 1.0])
    assert (grid.area > 0).all()


@pytest.mark.parametrize("bounds", [[0.0, 1.0, 3.0], [[0.0, 1.0], [1.0, 3.0]]], ids=["n + 1", "n x 2"])
def test_bounds_are_taken_as_given(bounds):
    grid = Grid.latlon([0.5, 2.0], [10.0, 11.0], lat_bounds=bounds)
    assert grid.lat_corners[2].tolist() == [1, 1, 3, 3]


def test_longitude_bounds_come_in_any_convention():
    grid = Grid.latlon([0.0, 1.0], [359.0, 0.0], lon_bounds=[[-1.5, -0.5], [359.5, 360.5]])
    assert grid.lon_corners[:2].tolist() == [[358.5, 359.5, 359.5, 358.5], [359.5, 360.5, 360.5, 359.5]]


def test_a_single_cell_needs_bounds():
    with pytest.raises(GridError, match="single cell"):
        Grid.latlon([0.0], [1.0])
    grid = Grid.latlon([0.0], [1.0], lat_bounds=[-1, 1], lon_bounds=[0, 2])
    assert grid.size == 1


def test_global_grids_are_periodic_and_regional_ones_are_not(coarse, box, rotated):
    assert coarse.periodic
    assert not box.periodic
    assert not rotated.periodic


def test_a_grid_two_cells_wide_is_not_periodic():
    with pytest.raises(GridError, match="180 degrees wide"):
        Grid.latlon([0.0, 1.0], [0.0, 180.0])


def test_a_grid_without_corners_is_periodic_by_its_gaps():
    lon, lat = np.meshgrid(np.arange(0.0, 360, 30), [10.0, 20.0])
    assert Grid.curvilinear(lon, lat).periodic
    assert not Grid.curvilinear(lon[:, :9], lat[:, :9]).periodic


def test_curvilinear_takes_nodes_or_corners_of_cells(rotated):
    again = Grid.curvilinear(
        rotated.lon.reshape(8, 10),
        rotated.lat.reshape(8, 10),
        rotated.lon_corners.reshape(8, 10, 4),
        rotated.lat_corners.reshape(8, 10, 4),
    )
    assert again == rotated


def test_a_rotated_grid_has_the_area_of_its_unturned_twin(rotated):
    # 8 x 10 cells of 3 degrees about (0, 0), the same cells before they were turned
    edges = np.arange(-5, 6) * 3.0
    twin = Grid.latlon(np.arange(-10.5, 12, 3), np.arange(-13.5, 15, 3), lon_bounds=edges)
    assert rotated.area == pytest.approx(twin.area, rel=1e-12)


def test_clockwise_corners_are_turned():
    lon, lat = [[0.5]], [[0.5]]
    forward = Grid.curvilinear(lon, lat, [[[0, 1, 1, 0]]], [[[0, 0, 1, 1]]])
    backward = Grid.curvilinear(lon, lat, [[[0, 0, 1, 1]]], [[[0, 1, 1, 0]]])
    assert backward.area[0] == pytest.approx(forward.area[0], rel=1e-14)
    assert backward.area[0] > 0


def test_a_mesh_of_an_octahedron_covers_the_sphere():
    lon, lat = [0, 90, 180, 270, 0, 0], [0, 0, 0, 0, 90, -90]
    faces = [[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4], [1, 0, 5], [2, 1, 5], [3, 2, 5], [0, 3, 5]]
    grid = Grid.mesh(lon, lat, faces)
    assert grid.area == pytest.approx(np.full(8, np.pi / 2), rel=1e-14)
    assert grid.kind is GridKind.MESH


def test_faces_of_a_mesh_may_have_different_numbers_of_corners():
    grid = Grid.mesh([0, 1, 1, 0, 2], [0, 0, 1, 1, 0.5], [[0, 1, 2, 3], [1, 4, 2, -1]])
    assert grid.lon_corners[1].tolist() == [1, 2, 1, 1]
    assert grid.lon[1] == pytest.approx(4 / 3, abs=1e-3)


def test_centres_of_a_mesh_may_be_given():
    grid = Grid.mesh([0, 1, 0], [0, 0, 1], [[0, 1, 2]], centres=([0.2], [0.3]))
    assert (grid.lon[0], grid.lat[0]) == (0.2, 0.3)


def test_points_have_neither_corners_nor_area():
    grid = Grid.points([1.0, 2.0], [3.0, 4.0])
    with pytest.raises(GridError, match="has no corners"):
        grid.corners  # noqa: B018
    with pytest.raises(GridError, match="has no corners"):
        grid.area  # noqa: B018


def test_given_areas_go_before_polygons():
    grid = Grid.points([1.0, 2.0], [3.0, 4.0], area=[0.1, 0.2])
    assert grid.area.tolist() == [0.1, 0.2]


def test_masks_are_flat_and_true_where_active():
    grid = Grid.latlon([0.0, 1.0], [0.0, 1.0], mask=[[1, 0], [2, 1]])
    assert grid.mask.tolist() == [True, False, True, True]


def test_grids_compare_by_geometry_mask_and_area(coarse):
    lat, lon = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    assert Grid.latlon(lat, lon) == coarse
    assert hash(Grid.latlon(lat, lon)) == hash(coarse)
    assert Grid.latlon(lat[::-1], lon) != coarse
    assert Grid.latlon(lat, lon, mask=np.eye(6, 12)) != coarse
    assert Grid.latlon(lat, lon, area=np.ones((6, 12))) != coarse
    assert coarse != "a grid"


def test_grids_say_what_they_are(coarse, box):
    assert repr(coarse) == "latlon grid 6x12 (15E..345E 75S..75N)"
    assert repr(box) == "latlon grid 6x7 (109W..97W 27N..37N)"


def test_grids_say_how_many_cells_are_masked():
    assert "3 masked" in repr(Grid.latlon([0.0, 1.0], [0.0, 1.0], mask=[[1, 0], [0, 0]]))


def test_neighbours_of_a_corner_are_four_cells(box):
    # the cell itself, right, up and right-up
    assert box.neighbours(np.array([0])).tolist() == [0, 1, 7, 8]


def test_neighbours_of_a_middle_cell_are_nine(box):
    assert box.neighbours(np.array([8])).tolist() == [0, 1, 2, 7, 8, 9, 14, 15, 16]


def test_neighbours_go_around_a_periodic_grid(coarse):
    assert coarse.neighbours(np.array([12])).tolist() == [0, 1, 11, 12, 13, 23, 24, 25, 35]


def test_nothing_has_no_neighbours(box):
    assert box.neighbours(np.array([], dtype=np.int64)).tolist() == []


def test_neighbours_in_a_mesh_share_a_corner():
    # three quads in a row: the first touches the second only
    lon, lat = [0, 1, 2, 3, 0, 1, 2, 3], [0, 0, 0, 0, 1, 1, 1, 1]
    grid = Grid.mesh(lon, lat, [[0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6]])
    assert grid.neighbours(np.array([0])).tolist() == [0, 1]
    assert grid.neighbours(np.array([1])).tolist() == [0, 1, 2]
