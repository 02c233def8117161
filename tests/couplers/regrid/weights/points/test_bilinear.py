"""Bilinear weights: by hand on small quads and meshes, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, generate
from tradewind.errors import GridError

places = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


def weights(source: Grid, target: Grid, method: Method = Method.BILINEAR) -> np.ndarray:
    made = generate(source, target, Scheme(method, Norm.FRACAREA))
    out = np.zeros((target.size, source.size))
    np.add.at(out, (made.row, made.col), made.value)
    return out


def at(lon: float, lat: float) -> Grid:
    return Grid.points([lon], [lat])


QUAD = Grid.latlon([-1.0, 1.0], [9.0, 11.0])


def test_the_middle_of_a_quad_takes_a_quarter_of_each_corner():
    assert np.allclose(weights(QUAD, at(10, 0)), 0.25, rtol=0, atol=1e-15)


def test_a_corner_takes_all_of_itself():
    assert np.allclose(weights(QUAD, at(11, 1)), [[0, 0, 0, 1]], rtol=0, atol=1e-12)


def test_the_middle_of_a_side_takes_half_of_either_end():
    got = weights(QUAD, at(11, 0))
    assert np.allclose(got, [[0, 0.5, 0, 0.5]], rtol=0, atol=1e-12)


def test_weights_follow_straight_lines_in_space():
    # along the meridian of a side, u solves tan(lat) = (2 v - 1) tan(1 degree)
    v = (1 + np.tan(np.deg2rad(0.5)) / np.tan(np.deg2rad(1))) / 2
    assert np.allclose(weights(QUAD, at(11, 0.5)), [[0, 1 - v, 0, v]], rtol=0, atol=1e-12)


@pytest.mark.parametrize("place", [(12, 0), (8.9, 0), (10, 1.1), (10, 45), (-170, 0)])
def test_outside_of_all_quads_nothing_is_mapped(place):
    assert not weights(QUAD, at(*place)).any()


def test_the_other_side_of_the_earth_is_outside():
    assert not weights(QUAD, at(190, 0)).any()


@settings(max_examples=40)
@given(places)
def test_a_global_grid_maps_every_place_and_weights_sum_to_one(place):
    source = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    got = weights(source, at(*place))
    assert got.sum() == pytest.approx(1, abs=1e-14)
    assert (got >= 0).all()


@settings(max_examples=40)
@given(places)
def test_the_weighted_centres_lie_on_the_ray_through_the_place(place):
    # the equation itself: sum_k w_k c_k is parallel to p, away from the poles' triangles
    source = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    lon, lat = place[0], place[1] * 80 / 90
    got = weights(source, at(lon, lat))[0] @ source.centres
    p = sphere.unit_vectors(np.array(lon), np.array(lat))
    assert np.allclose(np.cross(got, p), 0, rtol=0, atol=1e-12)


def test_the_pole_carries_the_mean_of_the_last_row(coarse):
    got = weights(coarse, at(77, 90))[0]
    assert np.allclose(got[-12:], 1 / 12, rtol=0, atol=1e-14)
    assert not got[:-12].any()


def test_between_last_row_and_pole_every_cell_of_the_row_counts(coarse):
    got = weights(coarse, at(15, 80))[0]
    assert (got[-12:] > 0).all()
    assert got[-12] > got[-11:].max()


def test_a_band_that_does_not_reach_the_poles_has_none():
    band = Grid.latlon(np.arange(-25.0, 30, 10), np.arange(5.0, 360, 10))
    assert not weights(band, at(0, 89)).any()


def test_a_masked_corner_unmaps_the_quad():
    masked = Grid.latlon([-1.0, 1.0], [9.0, 11.0], mask=[[1, 1], [1, 0]])
    assert not weights(masked, at(10, 0)).any()


def test_on_a_shared_side_the_quad_without_a_masked_corner_is_taken():
    # three columns; the right one is masked, the place lies on the middle one
    masked = Grid.latlon([-1.0, 1.0], [9.0, 11.0, 13.0], mask=[[1, 1, 0], [1, 1, 0]])
    assert np.allclose(weights(masked, at(11, 0)), [[0, 0.5, 0, 0, 0.5, 0]], rtol=0, atol=1e-12)


def test_masked_targets_get_nothing():
    target = Grid.points([10.0, 10.5], [0.0, 0.0], mask=[0, 1])
    assert weights(QUAD, target).sum(axis=1) == pytest.approx([0, 1])


def test_mapped_targets_have_fraction_one():
    target = Grid.points([10.0, 50.0], [0.0, 0.0])
    assert generate(QUAD, target, Scheme(Method.BILINEAR, Norm.FRACAREA)).frac_target.tolist() == [1, 0]


@settings(max_examples=30)
@given(st.tuples(st.floats(9.01, 10.99), st.floats(-0.99, 0.99)), st.sampled_from([-360.0, 360.0]))
def test_the_convention_of_longitudes_does_not_matter(place, turn):
    assert np.allclose(
        weights(QUAD, at(place[0] + turn, place[1])), weights(QUAD, at(*place)), rtol=0, atol=1e-11
    )


@settings(max_examples=30)
@given(places)
def test_the_order_of_latitudes_does_not_matter(place):
    up = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    down = Grid.latlon(np.arange(75.0, -90, -30), np.arange(15.0, 360, 30))
    turned = weights(down, at(*place)).reshape(6, 12)[::-1].ravel()
    assert np.allclose(turned, weights(up, at(*place))[0], rtol=0, atol=1e-9)


def test_rows_do_not_depend_on_which_others_are_made(coarse, finer):
    whole = generate(coarse, finer, Scheme(Method.BILINEAR, Norm.FRACAREA))
    part = generate(coarse, finer, Scheme(Method.BILINEAR, Norm.FRACAREA), np.arange(40, 60))
    keep = (whole.row >= 40) & (whole.row < 60)
    assert np.array_equal(part.col, whole.col[keep])
    assert np.array_equal(part.value, whole.value[keep])


def test_points_are_refused_as_a_source():
    with pytest.raises(GridError, match=r"which cells touch.*nearest_s2d"):
        weights(Grid.points([0.0, 1.0, 0.0], [0.0, 1.0, 1.0]), at(0.1, 0.1))


def test_a_mesh_joins_the_centres_of_its_cells(globe):
    # at a node with three cells around it all three count, and weights follow the plane through them
    target = at(*(c[0] for c in sphere.lon_lat(globe.centres[[40, 41]].mean(axis=0)[None])))
    got = weights(globe, target)[0]
    assert got.sum() == pytest.approx(1, abs=1e-15)
    assert np.allclose(np.cross(got @ globe.centres, target.centres[0]), 0, rtol=0, atol=1e-10)


def test_a_mesh_of_structured_cells_has_the_weights_of_the_grid(box):
    mesh = Grid.mesh(
        box.lon_corners.ravel(), box.lat_corners.ravel(), np.arange(box.size * 4).reshape(-1, 4),
        centres=(box.lon, box.lat),
    )  # fmt: skip
    target = Grid.latlon(np.arange(26.0, 40, 1.3), np.arange(-110.0, -95, 1.1))
    assert np.allclose(weights(mesh, target), weights(box, target), rtol=0, atol=1e-9)


@settings(max_examples=40)
@given(places)
def test_a_mesh_around_the_globe_maps_every_place(globe, place):
    got = weights(globe, at(*place))
    assert got.sum() == pytest.approx(1, abs=1e-14)
    assert (got >= 0).all()


def test_at_its_own_centres_every_grid_has_weight_one(coarse, rotated, globe):
    for grid in (coarse, rotated, globe):
        got = weights(grid, Grid.points(grid.lon, grid.lat))
        assert np.array_equal(got, np.eye(grid.size))


def test_a_target_on_a_masked_cell_is_unmapped(coarse):
    mask = np.ones(coarse.shape)
    mask[2, 5] = 0
    masked = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=mask)
    assert not weights(masked, at(165, -15)).any()


def test_a_centre_beside_a_masked_cell_is_mapped_by_a_quad_without(coarse):
    mask = np.ones(coarse.shape)
    mask[2, 5] = 0
    masked = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=mask)
    got = weights(masked, at(135, -15))[0]
    assert got[2 * 12 + 4] == 1


def test_across_the_date_line():
    grid = Grid.latlon([-1.0, 1.0], [179.0, 181.0])
    for lon in (180, -180, 540):
        assert np.allclose(weights(grid, at(lon, 0)), 0.25, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "grid",
    [
        Grid.latlon([0.0], [1.0, 3.0], lat_bounds=[-1, 1]),
        Grid.latlon([1.0, 3.0], [0.0], lon_bounds=[-1, 1]),
        Grid.latlon([0.0], [0.0], lat_bounds=[-1, 1], lon_bounds=[-1, 1]),
    ],
    ids=["one row", "one column", "one cell"],
)
def test_without_two_rows_and_columns_nothing_lies_between(grid):
    assert not weights(grid, Grid.points([0.0, 2.0, 0.0], [0.0, 0.0, 2.0])).any()


def test_a_source_without_active_cells_maps_nothing(coarse):
    dark = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.zeros(coarse.shape))
    made = generate(dark, coarse, Scheme(Method.BILINEAR))
    assert len(made.row) == 0
    assert not made.frac_target.any()


def test_a_curvilinear_grid_needs_no_corners():
    lon, lat = np.meshgrid([10.0, 12.0, 14.0], [-1.0, 1.0])
    assert np.allclose(
        weights(Grid.curvilinear(lon, lat), at(11, 0))[0, [0, 1, 3, 4]], 0.25, rtol=0, atol=1e-15
    )


@settings(max_examples=25)
@given(st.integers(0, 999))
def test_fields_that_are_linear_in_space_are_met_in_direction(rotated, seed):
    # Σ w_k (n · c_k) = t (n · p) with one t for all n: ratios of two such fields are exact
    rng = np.random.default_rng(seed)
    inner = rng.random((10, 2)) @ np.diag([20.0, 14.0]) + [-107.0, 33.0]
    target = Grid.points(*inner.T)
    made = generate(rotated, target, Scheme(Method.BILINEAR))
    got = weights(rotated, target) @ rotated.centres
    across = np.cross(got, target.centres)[made.frac_target > 0]
    assert np.abs(across).max(initial=0.0) <= 1e-10


def test_each_point_of_a_fine_grid_is_between_the_largest_and_the_least(coarse, finer):
    field = np.random.default_rng(1).standard_normal(coarse.size)
    made = weights(coarse, finer)
    got = made @ field
    for row in range(finer.size):
        around = field[made[row] > 0]
        assert around.min() - 1e-12 <= got[row] <= around.max() + 1e-12
