"""Bilinear and nearest weights: by hand on small quads, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, generate
from tradewind.errors import GridError, SpecError

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


@pytest.mark.parametrize("method", ["conservative", "bilinear", "nearest_s2d", "nearest_d2s"])
def test_no_rows_make_no_weights(coarse, finer, method):
    none = np.array([], dtype=np.int64)
    assert len(generate(coarse, finer, Scheme(Method(method), Norm.FRACAREA), none).row) == 0


def test_points_are_refused_as_a_source():
    with pytest.raises(GridError, match=r"which cells touch.*nearest_s2d"):
        weights(Grid.points([0.0, 1.0, 0.0], [0.0, 1.0, 1.0]), at(0.1, 0.1))


def test_methods_without_native_weights_say_who_has_them(coarse):
    with pytest.raises(SpecError, match=r'patch has no native weights.*backend="esmpy"'):
        weights(coarse, coarse, Method.PATCH)


SITES = Grid.points([0.0, 10.0, 20.0], [0.0, 0.0, 0.0])


def test_nearest_source_by_hand():
    got = weights(SITES, Grid.points([4.0, 6.0, 100.0], [1.0, 1.0, 0.0]), Method.NEAREST_S2D)
    assert got.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_of_equally_near_sources_the_first_is_taken():
    assert weights(SITES, at(5, 0), Method.NEAREST_S2D).tolist() == [[1, 0, 0]]


def test_nearest_looks_across_the_date_line():
    sites = Grid.points([179.0, -170.0], [0.0, 0.0])
    assert weights(sites, at(-179, 0), Method.NEAREST_S2D).tolist() == [[1, 0]]


def test_nearest_passes_over_masked_sources():
    sites = Grid.points([0.0, 10.0, 20.0], [0.0, 0.0, 0.0], mask=[1, 0, 1])
    assert weights(sites, at(9, 0), Method.NEAREST_S2D).tolist() == [[1, 0, 0]]


def test_nearest_destination_takes_the_sum_of_all_that_are_near():
    got = weights(SITES, Grid.points([4.0, 40.0, 80.0], [0.0, 0.0, 0.0]), Method.NEAREST_D2S)
    # 0 and 10 are nearest to 4, 20 is nearer to 4 (16 degrees) than to 40 (20 degrees)
    assert got.tolist() == [[1, 1, 1], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("method", [Method.NEAREST_S2D, Method.NEAREST_D2S])
def test_nearest_of_nothing_is_nothing(method):
    nothing = Grid.points([0.0, 1.0], [0.0, 0.0], mask=[0, 0])
    assert not weights(nothing, SITES, method).any()
    assert not weights(SITES, nothing, method).any()


@settings(max_examples=30)
@given(st.integers(0, 999))
def test_nearest_is_nearest(seed):
    rng = np.random.default_rng(seed)
    source, target = (Grid.points(rng.uniform(-180, 180, 20), rng.uniform(-90, 90, 20)) for _ in range(2))
    chosen = weights(source, target, Method.NEAREST_S2D).argmax(axis=1)
    assert np.array_equal(chosen, (target.centres @ source.centres.T).argmax(axis=1))
