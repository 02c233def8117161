"""Faults of whole grids: each is counted and its first cell named, and what is sound is let through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, places
from tradewind.errors import GridError


def nodes(ny: int = 4, nx: int = 5, west: float = 10.0, south: float = 40.0) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudes and latitudes of the nodes of cells of one degree."""
    lon, lat = np.meshgrid(west + np.arange(nx + 1.0), south + np.arange(ny + 1.0))
    return lon, lat


def curvilinear(lon: np.ndarray, lat: np.ndarray, **more) -> Grid:
    middle = [(c[:-1, :-1] + c[1:, 1:]) / 2 for c in (lon, lat)]
    return Grid.curvilinear(*middle, lon, lat, **more)


def corners(ny: int = 4, nx: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return longitudes and latitudes of the corners of each cell, and let them be spoilt."""
    lon, lat = nodes(ny, nx)
    around = [(slice(None, -1), slice(None, -1)), (slice(None, -1), slice(1, None))]
    around += [(slice(1, None), slice(1, None)), (slice(1, None), slice(None, -1))]
    return tuple(np.stack([c[j, i] for j, i in around], axis=-1) for c in (lon, lat))


def per_cell(lon: np.ndarray, lat: np.ndarray, **more) -> Grid:
    x, y = corners()
    return Grid.curvilinear(x.mean(axis=-1), y.mean(axis=-1), lon, lat, **more)


# ------------------------------------------------------------------ degenerate and crossing cells
def flattened() -> tuple[np.ndarray, np.ndarray]:
    """Return corners of which cells 3, 7 and 19 are lines."""
    lon, lat = corners()
    for cell in (3, 7, 19):
        j, i = divmod(cell, 5)
        lat[j, i] = lat[j, i, 0]
    return lon, lat


def test_cells_without_area_are_counted_and_the_first_named():
    with pytest.raises(GridError, match=r"cell 3 and 2 more of 20 have no area \(mask them"):
        per_cell(*flattened())


def test_masked_cells_need_no_area():
    mask = np.ones(20)
    mask[[3, 7, 19]] = 0
    grid = per_cell(*flattened(), mask=mask)
    assert grid.polygon_area[3] == 0
    assert grid.mask.sum() == 17


def test_a_cell_without_area_cannot_be_made_active():
    mask = np.ones(20)
    mask[[3, 7, 19]] = 0
    grid = per_cell(*flattened(), mask=mask)
    with pytest.raises(GridError, match="cell 3 and 2 more of 20 have no area"):
        grid.with_mask(np.ones(20))


def test_crossing_sides_are_counted_and_the_first_named():
    lon, lat = corners()
    for j, i in ((0, 4), (2, 2)):
        lon[j, i] = lon[j, i][[0, 2, 1, 3]]
        lat[j, i] = lat[j, i][[0, 2, 1, 3]]
    with pytest.raises(GridError, match=r"cell 4 and 1 more of 20 have sides that cross \(a bow-tie\)"):
        per_cell(lon, lat)


@pytest.mark.parametrize("order", [[0, 2, 1, 3], [0, 1, 3, 2], [1, 0, 2, 3]])
def test_every_bow_tie_of_four_corners_is_found(order):
    lon, lat = np.array([0.0, 1, 1, 0])[order], np.array([0.0, 0, 1, 1])[order]
    with pytest.raises(GridError, match="bow-tie"):
        Grid.curvilinear([[0.5]], [[0.5]], lon[None, None], lat[None, None])


def test_cells_that_are_not_convex_cross_nothing():
    # a dart: the third corner lies within the triangle of the others
    grid = Grid.curvilinear([[0.5]], [[0.2]], [[[0.0, 1, 0.45, 0.5]]], [[[0.0, 0, 0.2, 1]]])
    assert grid.area[0] > 0


def test_faults_are_found_in_every_block(monkeypatch):
    monkeypatch.setattr(places, "BLOCK", 6)
    with pytest.raises(GridError, match="cell 3 and 2 more of 20 have no area"):
        per_cell(*flattened())


# ------------------------------------------------------------------ missing corners
def test_missing_corners_are_counted_and_the_first_named():
    lon, lat = corners()
    lon[1, 2, 0] = lat[3, 1, 2] = np.nan
    with pytest.raises(GridError, match="cell 7 and 1 more of 20 have corners that are missing"):
        per_cell(lon, lat)


def test_fill_values_of_masked_arrays_are_missing_corners():
    lon, lat = corners()
    with pytest.raises(GridError, match="cell 0 and 3 more of 20 have corners that are missing"):
        per_cell(np.ma.masked_equal(lon, lon[0, 0, 0]), lat)


@pytest.mark.parametrize("fill", [np.nan, 1e20, 9.96921e36, -1e30])
def test_masked_cells_need_no_corners(fill):
    lon, lat = corners()
    lon[1, 2] = lat[1, 2] = fill
    mask = np.ones((4, 5))
    mask[1, 2] = 0
    grid = per_cell(lon, lat, mask=mask)
    assert np.isfinite(grid.corners).all()
    assert grid.polygon_area[7] == 0


def test_fill_values_that_were_not_decoded_are_told():
    with pytest.raises(GridError, match=r"1 of 2 values are fill values, the first at \(1,\)"):
        Grid.points([1.0, 1e20], [1.0, 2.0])


# ------------------------------------------------------------------ overlap
def test_cells_on_each_other_are_told_by_their_area():
    ball = Grid.cubed_sphere(2)
    twice = np.tile(ball.lon_corners, (2, 1)), np.tile(ball.lat_corners, (2, 1))
    faces = np.arange(192).reshape(48, 4)
    with pytest.raises(GridError, match="cover 2 times the sphere: some lie on others"):
        Grid.mesh(twice[0].ravel(), twice[1].ravel(), faces)
    half = np.arange(48) < 24
    assert Grid.mesh(twice[0].ravel(), twice[1].ravel(), faces, mask=half).mask.sum() == 24


def test_columns_that_reach_around_more_than_once_are_refused():
    lon = np.arange(0.0, 350, 10)
    bounds = np.append(lon - 5, 362.0)
    with pytest.raises(GridError, match="cells span 367 degrees of longitude"):
        Grid.latlon([0.0, 10.0], lon, lon_bounds=bounds)


@pytest.mark.parametrize("last", [-1, -2])
def test_repeated_columns_of_curvilinear_grids_are_named(last):
    around = np.arange(0.0, 361 if last == -1 else 391, 30)
    lon, lat = np.meshgrid(around, np.arange(-60.0, 61, 20))
    with pytest.raises(GridError, match=r"column 12 repeats column 0 \(duplicated longitudes"):
        Grid.curvilinear(lon, lat)
    mask = np.ones(lon.shape)
    mask[:, 12:] = 0
    assert Grid.curvilinear(lon, lat, mask=mask).mask.sum() == 7 * 12


# ------------------------------------------------------------------ radians
def radians(*arrays: np.ndarray) -> list[np.ndarray]:
    return [np.deg2rad(a) for a in arrays]


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (np.arange(30.0, 50, 2.5), np.arange(-20.0, 10, 2.5)),
        (np.arange(35.05, 38, 0.1), np.arange(5.05, 8, 0.1)),
        (40 + np.arange(9) / 3, 250 + np.arange(9) / 3),
        (np.arange(30.0, 50, 2.5).astype(np.float32), np.arange(-20.0, 10, 2.5).astype(np.float32)),
    ],
    ids=["2.5 degrees", "0.1 degrees", "thirds", "single precision"],
)
def test_regions_in_radians_are_told_by_their_round_degrees(lat, lon):
    assert Grid.latlon(lat, lon).size == len(lat) * len(lon)
    with pytest.raises(GridError, match=r"look like radians.*numpy\.rad2deg"):
        Grid.latlon(*radians(lat, lon))


@settings(max_examples=60, deadline=None)
@given(st.floats(-1.5, 1.0), st.floats(-6, 5.5), st.floats(0.001, 0.05), st.integers(4, 9))
def test_real_small_regions_are_never_taken_for_radians(south, west, step, n):
    grid = Grid.latlon(south + step * np.arange(n), west + step * np.arange(n))
    assert grid.size == n * n


def test_corners_in_degrees_of_centres_in_radians_are_said():
    lon, lat = nodes()
    with pytest.raises(GridError, match=r"a centre far outside its corners.*same units"):
        Grid.curvilinear(*radians(lon[:-1, :-1] + 0.51234, lat[:-1, :-1] + 0.51234), lon, lat)


# ------------------------------------------------------------------ turned about
def test_one_transposed_array_is_told_by_its_lines():
    lon, lat = np.meshgrid(np.arange(6.0), 40 + np.arange(6.0))
    with pytest.raises(GridError, match=r"all centres lie on lines.*transposed"):
        Grid.curvilinear(lon.T, lat)


def test_transposed_corners_are_told_by_their_shape():
    lon, lat = nodes()
    with pytest.raises(
        GridError, match=r"corners of shape \(6, 5\) for cells of shape \(4, 5\) \(transposed\?\)"
    ):
        Grid.curvilinear(lon[:-1, :-1] + 0.5, lat[:-1, :-1] + 0.5, lon.T, lat.T)


def test_transposed_corners_of_a_square_are_told_by_their_centres():
    lon, lat = nodes(9, 9)
    with pytest.raises(GridError, match=r"a centre far outside its corners.*transposed"):
        Grid.curvilinear(lon[:-1, :-1] + 0.5, lat[:-1, :-1] + 0.5, lon.T, lat.T)


def test_swapped_longitude_and_latitude_are_told_beyond_the_poles():
    with pytest.raises(GridError, match=r"latitude 100 lies beyond a pole.*swapped"):
        Grid.latlon(np.arange(100.0, 110), np.arange(30.0, 40))


def test_a_single_odd_centre_is_let_through():
    lon, lat = corners()
    x, y = lon.mean(axis=-1), lat.mean(axis=-1)
    x[0, 0] += 20.0
    assert Grid.curvilinear(x, y, lon, lat).size == 20


# ------------------------------------------------------------------ bounds of axes
@pytest.mark.parametrize(
    ("bounds", "fault"),
    [
        ([40.0, 41, 43, 42], "latitude: bounds are neither increasing nor decreasing"),
        ([40.0, 41, 41, 43], "latitude: cell 1 has no area: its two bounds are equal"),
        ([40.7, 41, 42, 43], "centre 40.5 of cell 0 lies outside its bounds 40.7 and 41"),
        ([0.698, 0.715, 0.733, 0.75], "centre 40.5 of cell 0 lies outside its bounds.*same units"),
        ([40.0, 41, 42, 91], "bounds reach to 91, beyond a pole.*cut them"),
    ],
    ids=["disorder", "flat", "beside", "radians", "beyond a pole"],
)
def test_bad_bounds_of_latitudes(bounds, fault):
    with pytest.raises(GridError, match=fault):
        Grid.latlon([40.5, 41.5, 42.5], [10.0, 11.0], lat_bounds=bounds)


def test_bounds_may_fall_where_centres_fall():
    grid = Grid.latlon([42.5, 41.5], [10.0, 11.0], lat_bounds=[43.0, 42.0, 41.0])
    assert (grid.area > 0).all()


def test_bounds_of_longitudes_come_in_any_convention():
    grid = Grid.latlon([0.0, 1.0], [359.0, 0.0, 1.0], lon_bounds=[358.5, -0.5, 0.5, 1.5])
    assert grid.lon_corners[:3, 0].tolist() == [358.5, 359.5, 360.5]


def test_the_last_row_of_a_gaussian_grid_reaches_to_the_pole():
    # zeros of the Legendre polynomial of degree 8
    lat = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(8)[0]))
    grid = Grid.latlon(lat, np.arange(0.0, 360, 20))
    assert (grid.lat_corners.min(), grid.lat_corners.max()) == (-90, 90)
    assert grid.area.sum() == pytest.approx(4 * np.pi)


def test_a_region_near_a_pole_does_not_reach_it():
    assert Grid.latlon(np.arange(80.0, 88, 1), np.arange(0.0, 30, 10)).lat_corners.max() == 87.5
