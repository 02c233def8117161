"""Geometry on the sphere against angles and areas known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import sphere

lons = st.floats(-180, 360)
lats = st.floats(-90, 90)


def vectors(*places: tuple[float, float]) -> np.ndarray:
    lon, lat = np.array(places, dtype=float).T
    return sphere.unit_vectors(lon, lat)


def test_axes():
    x, y, z = vectors((0, 0), (90, 0), (0, 90))
    assert np.allclose([x, y, z], np.eye(3), atol=1e-16)


def test_a_pole_is_one_point_whatever_its_longitude():
    a, b = vectors((0, 90), (123, 90))
    assert np.array_equal(a, b)


@settings(deadline=None)
@given(lons, lats)
def test_vectors_have_length_one(lon, lat):
    assert np.linalg.norm(sphere.unit_vectors(np.array(lon), np.array(lat))) == pytest.approx(1, abs=1e-15)


@settings(deadline=None)
@given(lons, st.floats(-89.9, 89.9))
def test_longitude_and_latitude_come_back(lon, lat):
    x, y = sphere.lon_lat(sphere.unit_vectors(np.array(lon), np.array(lat)))
    assert 0 <= x < 360
    assert (x - lon + 180) % 360 - 180 == pytest.approx(0, abs=1e-10)
    assert y == pytest.approx(lat, abs=1e-10)


def test_an_octant_covers_an_eighth_of_the_sphere():
    area = sphere.triangle_areas(*(v[None] for v in vectors((0, 0), (90, 0), (0, 90))))
    assert area == pytest.approx(4 * np.pi / 8, abs=1e-15)


def test_clockwise_triangles_count_negative():
    a, b, c = (v[None] for v in vectors((0, 0), (90, 0), (0, 90)))
    assert sphere.triangle_areas(a, c, b) == -sphere.triangle_areas(a, b, c)


@settings(deadline=None)
@given(lons, st.floats(-80, 80), st.floats(1e-5, 5))
def test_a_small_square_has_nearly_its_flat_area(lon, lat, step):
    d = np.deg2rad(step)
    cell = vectors((lon, lat), (lon + step, lat), (lon + step, lat + step), (lon, lat + step))[None]
    band = d * (np.sin(np.deg2rad(lat + step)) - np.sin(np.deg2rad(lat)))
    # great circles instead of parallels change the area by a part of order d
    assert sphere.polygon_areas(cell)[0] == pytest.approx(
        band, rel=10 * d * (1 + np.tan(np.deg2rad(abs(lat) + step)))
    )


def test_small_cells_keep_their_digits():
    # halves of a cell of a hundred metres sum to the whole
    step = 1e-3
    whole = vectors((10, 50), (10 + step, 50), (10 + step, 50 + step), (10, 50 + step))[None]
    left, right = whole[:, [0, 1, 2]], whole[:, [0, 2, 3]]
    assert sphere.polygon_areas(left) + sphere.polygon_areas(right) == pytest.approx(
        sphere.polygon_areas(whole), rel=1e-15
    )
    flat = np.deg2rad(step) ** 2 * np.cos(np.deg2rad(50 + step / 2))
    assert sphere.polygon_areas(whole)[0] == pytest.approx(flat, rel=1e-9)


def test_repeated_corners_do_not_change_an_area():
    triangle = vectors((0, 0), (90, 0), (0, 90))[None]
    padded = triangle[:, [0, 1, 2, 2, 2]]
    assert sphere.polygon_areas(padded) == sphere.polygon_areas(triangle)


def test_centroid_of_a_square_is_its_middle():
    square = vectors((-1, -1), (1, -1), (1, 1), (-1, 1))[None]
    assert np.allclose(sphere.centroids(square), [[1, 0, 0]], atol=1e-15)


def test_radius_reaches_every_corner():
    square = vectors((-1, -1), (1, -1), (1, 1), (-1, 1))[None]
    centre = sphere.centroids(square)
    distance = np.linalg.norm(square[0] - centre, axis=1)
    assert sphere.radii(square, centre) == distance.max()


def test_a_bow_tie_is_found():
    square = vectors((0, 0), (1, 0), (1, 1), (0, 1))[None]
    crossed = square[:, [0, 2, 1, 3]]
    assert not sphere.bow_ties(square)[0]
    assert sphere.bow_ties(crossed)[0]


@pytest.mark.parametrize("size", [1e-4, 1.0, 30.0])
def test_a_bow_tie_is_found_at_any_size(size):
    crossed = vectors((0, 0), (size, size), (size, 0), (0, size))[None]
    assert sphere.bow_ties(crossed)[0]


def test_a_cell_at_the_pole_is_no_bow_tie():
    cell = vectors((0, 85), (5, 85), (5, 90), (0, 90))[None]
    assert not sphere.bow_ties(cell)[0]


def test_a_triangle_cannot_cross_itself():
    assert not sphere.bow_ties(vectors((0, 0), (1, 0), (0, 1))[None])[0]
