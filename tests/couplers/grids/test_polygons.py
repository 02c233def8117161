"""Loops over polygons against angles and areas found in other ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, polygons, sphere

angles = st.floats(-720, 720)


def vector(lon: float, lat: float) -> np.ndarray:
    return polygons.unit_vectors(np.array([lon]), np.array([lat]))[0]


def polygon(*places: tuple[float, float]) -> np.ndarray:
    lon, lat = np.array(places, dtype=float).T
    return polygons.unit_vectors(lon, lat)[None]


def regular(n: int, size: float, seed: int = 0) -> np.ndarray:
    """Return a regular polygon of n corners, some degrees from a place anywhere, counter-clockwise."""
    turn, r = np.arange(n) * 2 * np.pi / n, np.deg2rad(size)
    ring = np.stack([np.sin(r) * np.cos(turn), np.sin(r) * np.sin(turn), np.full(n, np.cos(r))], axis=-1)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return (ring @ (rotation * np.sign(np.linalg.det(rotation))))[None]


@pytest.mark.parametrize("turns", [-2, -1, 0, 1, 2])
def test_right_angles_are_exact(turns):
    lon = np.array([0.0, 90.0, 180.0, 270.0]) + 360 * turns
    got = polygons.unit_vectors(lon, np.zeros(4))
    assert np.array_equal(got, [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]])


@settings(deadline=None)
@given(angles)
def test_a_pole_is_the_same_point_at_every_longitude(lon):
    assert np.array_equal(vector(lon, 90.0), [0, 0, 1])
    assert np.array_equal(vector(lon, -90.0), [0, 0, -1])


@settings(deadline=None)
@given(st.integers(-180 * 64, 180 * 64), st.floats(-90, 90))
def test_whole_turns_change_no_bit(lon, lat):
    # in steps of 1/64 degree the sum with 360 is exact
    assert np.array_equal(vector(lon / 64, lat), vector(lon / 64 + 360, lat))


@settings(deadline=None)
@given(st.floats(-180, 180), st.floats(-90, 90))
def test_opposite_signs_give_mirror_images(lon, lat):
    assert np.array_equal(vector(-lon, -lat), vector(lon, lat) * [1, -1, -1])


@settings(deadline=None)
@given(angles, st.floats(-90, 90))
def test_vectors_are_those_of_numpy(lon, lat):
    x, y = np.deg2rad(lon), np.deg2rad(lat)
    expected = np.array([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
    # numpy rounds the angle in radians, of up to 12
    assert np.allclose(vector(lon, lat), expected, rtol=0, atol=3e-15)


def test_what_is_remembered_is_not_mixed_up():
    rng = np.random.default_rng(0)
    lon, lat = rng.choice([0.0, 1.5, 33.0, -70.0, 200.0, 12.25], (2, 500)) * [[1], [0.4]]
    got = polygons.unit_vectors(lon, lat)
    assert np.array_equal(got, [vector(x, y) for x, y in zip(lon, lat, strict=True)])


def test_nothing_has_no_vectors():
    assert polygons.unit_vectors(np.zeros(0), np.zeros(0)).shape == (0, 3)


def excess(corners: np.ndarray) -> float:
    """Girard: the sum of the angles of a convex polygon over that of a flat one."""
    total = 0.0
    for a, b, c in zip(np.roll(corners, 1, axis=0), corners, np.roll(corners, -1, axis=0), strict=True):
        before, after = np.cross(b, a), np.cross(b, c)
        total += np.arctan2(np.linalg.norm(np.cross(before, after)), before @ after)
    return total - (len(corners) - 2) * np.pi


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 12), st.floats(5, 85), st.integers(0, 999))
def test_areas_are_the_excess_of_angles(n, size, seed):
    corners = regular(n, size, seed)
    assert polygons.areas(corners)[0] == pytest.approx(excess(corners[0]), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 12), st.floats(0.001, 85), st.integers(0, 999))
def test_areas_are_sums_of_triangles(n, size, seed):
    p = regular(n, size, seed)[0]
    fan = [sphere.triangle_areas(p[0], p[k], p[k + 1]) for k in range(1, n - 1)]
    assert polygons.areas(p[None])[0] == pytest.approx(np.sum(fan), rel=1e-14)


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 9), st.floats(0.01, 80), st.integers(0, 99), st.integers(1, 8))
def test_areas_do_not_depend_on_the_first_corner(n, size, seed, shift):
    corners = regular(n, size, seed)
    assert polygons.areas(np.roll(corners, shift, axis=1))[0] == pytest.approx(
        polygons.areas(corners)[0], rel=1e-12
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 9), st.floats(0.01, 80), st.integers(0, 99))
def test_the_other_way_round_areas_are_negative(n, size, seed):
    corners = regular(n, size, seed)
    turned = np.ascontiguousarray(corners[:, ::-1])
    assert polygons.areas(turned)[0] == pytest.approx(-polygons.areas(corners)[0], rel=1e-12)


def test_a_polygon_of_many_corners_is_nearly_its_cap():
    # a cap of angular radius r has 2 pi (1 - cos r)
    cap = 2 * np.pi * (1 - np.cos(np.deg2rad(60)))
    assert polygons.areas(regular(3000, 60))[0] == pytest.approx(cap, rel=1e-5)


def test_areas_near_a_hemisphere_do_not_wrap():
    # three corners on the equator of the polygon's pole, a little above
    assert polygons.areas(regular(3, 89.9))[0] == pytest.approx(excess(regular(3, 89.9)[0]), rel=1e-12)
    assert polygons.areas(regular(3, 89.9))[0] > 6


def test_eight_octants_cover_the_sphere():
    octants = Grid.latlon([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0])
    assert polygons.areas(octants.corners).sum() == pytest.approx(4 * np.pi, rel=1e-15)


def test_repeated_corners_have_no_area():
    p = polygon((10, 20), (11, 20), (11, 21))
    assert polygons.areas(p[:, [0, 0, 1, 1, 2, 2]])[0] == pytest.approx(polygons.areas(p)[0], rel=1e-15)


def test_a_point_has_no_area():
    assert polygons.areas(polygon((5, 5), (5, 5), (5, 5), (5, 5)))[0] == 0


def test_area_of_the_first_corners_only():
    p = polygon((0, 0), (90, 0), (0, 90), (200, -50))[0]
    assert polygons.area(p, 3) == pytest.approx(np.pi / 2, rel=1e-15)
    assert polygons.area(p, 2) == 0


def test_regular_polygons_are_convex():
    assert polygons.convex(regular(7, 20)).all()


def test_a_dent_is_not_convex():
    dented = polygon((0, 0), (4, 0), (4, 4), (2, 1), (0, 4))
    assert not polygons.convex(dented)[0]


def test_convexity_sees_through_repeated_corners():
    dented = polygon((0, 0), (2, 0), (1, 0.1), (1, 0.1), (0.9, 2), (0.9, 2))
    assert not polygons.convex(dented)[0]
    assert polygons.convex(polygon((0, 80), (5, 80), (5, 90), (0, 90)))[0]


def test_corners_along_a_side_are_convex():
    assert polygons.convex(polygon((0, 0), (1, 0), (2, 0), (3, 0), (1, 2)))[0]


def test_sides_of_large_cells_along_parallels_are_convex():
    # a parallel lies inside of the great circle on the poles' side: cells stay convex
    assert polygons.convex(Grid.latlon([-60.0, 0.0, 60.0], [0.0, 90.0, 180.0, 270.0]).corners).all()


def test_polygons_are_judged_one_by_one():
    good, bad = polygon((0, 0), (4, 0), (4, 4), (0, 4)), polygon((0, 0), (4, 0), (1, 1), (0, 4))
    assert polygons.convex(np.concatenate([good, bad, good])).tolist() == [True, False, True]


def test_bow_ties_are_told_from_dents():
    tie, dent = polygon((0, 0), (4, 4), (4, 0), (0, 4)), polygon((0, 0), (4, 0), (1, 1), (0, 4))
    assert polygons.bow_ties(np.concatenate([tie, dent])).tolist() == [True, False]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999))
def test_convex_polygons_are_no_bow_ties(seed):
    assert not polygons.bow_ties(regular(3 + seed % 9, 1 + seed % 70, seed)).any()


@pytest.mark.parametrize("order", [[0, 2, 1, 3, 4], [0, 1, 3, 2, 4], [1, 0, 2, 3, 4]])
def test_two_corners_exchanged_make_a_bow_tie(order):
    assert polygons.bow_ties(regular(5, 10)[:, order])[0]


def test_cells_of_rows_and_columns_have_the_corners_of_their_angles():
    grid = Grid.latlon([-80.0, -20.0, 10.5, 77.25], [-170.0, -99.0, 3.0, 100.0])
    assert np.array_equal(grid.corners, sphere.unit_vectors(grid.lon_corners, grid.lat_corners))


def test_some_cells_of_rows_and_columns_are_those_of_all():
    grid = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    some = np.array([600, 3, 3, 647])
    assert np.array_equal(grid.corners_of(some), grid.corners[some])


def test_neighbours_share_their_corners_to_the_last_bit():
    corners = Grid.latlon(np.arange(-85.0, 90, 10), np.arange(-175.0, 180, 10)).corners.reshape(18, 36, 4, 3)
    assert np.array_equal(corners[:, :-1, 1], corners[:, 1:, 0])
    assert np.array_equal(corners[:-1, :, 3], corners[1:, :, 0])
    # and the last column ends where the first begins
    assert np.array_equal(corners[:, -1, 1], corners[:, 0, 0])
