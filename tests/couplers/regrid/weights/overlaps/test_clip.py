"""Overlaps of single polygons: by hand, by symmetry, and by counting points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.regrid.weights.overlaps import clip


def polygon(*places: tuple[float, float]) -> np.ndarray:
    lon, lat = np.array(places, dtype=float).T
    return sphere.unit_vectors(lon, lat)[None]


def box(west: float, east: float, south: float, north: float) -> np.ndarray:
    return polygon((west, south), (east, south), (east, north), (west, north))


def area(corners: np.ndarray) -> float:
    return float(sphere.polygon_areas(corners)[0])


def overlap(subject: np.ndarray, convex: np.ndarray) -> float:
    one = np.zeros(1, dtype=np.int64)
    return float(clip.areas(subject, sphere.polygon_areas(subject), convex, one, one)[0])


def turned(seed: int) -> np.ndarray:
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return rotation * np.sign(np.linalg.det(rotation))


def ring(n: int, size: float, start: float = 0.0) -> np.ndarray:
    """Return n corners around the north pole, `size` degrees from it."""
    return polygon(*[(start + 360 * k / n, 90 - size) for k in range(n)])


def test_a_polygon_cut_by_itself_stays_to_the_last_bit(coarse):
    all_of_them = np.arange(coarse.size)
    got = clip.areas(coarse.corners, coarse.polygon_area, coarse.corners, all_of_them, all_of_them)
    assert np.array_equal(got, coarse.polygon_area)


def test_a_polygon_within_another_stays_to_the_last_bit():
    small = box(10, 11, 10, 11)
    assert overlap(small, box(0, 20, 0, 20)) == area(small)


def test_a_polygon_around_another_leaves_it():
    small = box(10, 11, 10, 11)
    assert overlap(box(0, 20, 0, 20), small) == pytest.approx(area(small), rel=1e-13)


@pytest.mark.parametrize("other", [(30, 40, 0, 10), (0, 10, 30, 40), (190, 200, -10, 0), (0, 10, -10, -5)])
def test_polygons_apart_share_nothing(other):
    assert overlap(box(0, 10, 0, 10), box(*other)) == 0


def test_polygons_that_share_a_side_share_nothing():
    assert overlap(box(0, 10, 0, 10), box(10, 20, 0, 10)) == 0
    assert overlap(box(0, 10, 0, 10), box(0, 10, 10, 20)) == 0


def test_polygons_that_share_a_corner_share_nothing():
    assert overlap(box(0, 10, 0, 10), box(10, 20, 10, 20)) == 0


def test_wedges_that_share_the_pole_share_nothing():
    assert overlap(box(0, 10, 80, 90), box(10, 20, 80, 90)) == 0
    assert overlap(box(0, 10, 80, 90), box(190, 200, 80, 90)) == 0


def test_octants_crossed_by_a_hemisphere_are_halved():
    # the meridian of 45 E is the octant's line of symmetry
    assert overlap(box(0, 90, 0, 90), box(0, 45, 0, 90)) == pytest.approx(np.pi / 4, rel=1e-15)


def test_a_lune_through_an_octant():
    # between two meridians from pole to pole, 2 x angle; north of the equator half of it
    lune = polygon((20, -90), (50, 0), (20, 90), (20, 90), (20, 0))
    assert overlap(box(0, 90, 0, 90), lune) == pytest.approx(np.deg2rad(30), rel=1e-14)


def test_two_squares_turned_by_45_degrees_make_an_octagon():
    first, second = ring(4, 30), ring(4, 30, 45.0)
    assert overlap(first, second) == pytest.approx(_octagon(first[0], second[0]), rel=1e-13)


def _octagon(first: np.ndarray, second: np.ndarray) -> float:
    """The crossings of neighbouring sides, as intersections of planes."""
    normals = [np.cross(p[k], p[(k + 1) % 4]) for k in range(4) for p in (first, second)]
    points = [np.cross(normals[k], normals[(k + 1) % 8]) for k in range(8)]
    corners = np.array([p / np.linalg.norm(p) * np.sign(p[2]) for p in points])
    return area(corners[None])


@pytest.mark.parametrize("size", [1e-4, 1e-2, 1.0, 20.0])
def test_quarters_of_a_square_about_the_equator(size):
    # by symmetry about the equator and the meridian of 30 E
    square = box(30 - size, 30 + size, -size, size)
    assert overlap(square, box(30, 30 + 2 * size, 0, 2 * size)) == pytest.approx(area(square) / 4, rel=1e-10)


def test_small_cells_keep_their_digits():
    # ten metres wide, at 50 N: halves sum to the whole
    d = 1e-4
    whole = box(10, 10 + d, 50, 50 + d)
    west, east = box(9, 10 + d / 2, 49, 51), box(10 + d / 2, 12, 49, 51)
    assert overlap(whole, west) + overlap(whole, east) == pytest.approx(area(whole), rel=1e-12)


@pytest.mark.parametrize("over", [1e-2, 1e-5, 1e-8, 1e-11, 1e-14])
@pytest.mark.parametrize("width", [10.0, 0.01])
def test_what_sticks_out_a_little_is_cut_off_and_no_more(over, width):
    # the meridian of 30 E cuts; what sticks out shrinks down to rounding
    sticking = box(30 - width, 30 + over * width, -1, 1)
    assert overlap(sticking, box(-20, 30, -80, 80)) == pytest.approx(
        area(box(30 - width, 30, -1, 1)), rel=1e-4
    )


def test_repeated_corners_do_no_harm():
    wedge = box(0, 30, 60, 90)
    plain = polygon((0, 60), (30, 60), (0, 90))
    other = box(10, 20, 50, 80)
    assert overlap(other, wedge) == pytest.approx(overlap(other, plain), rel=1e-14)
    assert overlap(wedge, other) == pytest.approx(overlap(plain, other), rel=1e-14)


def test_a_cell_without_area_shares_nothing():
    flat = polygon((0, 0), (5, 0), (10, 0), (10, 0))
    assert overlap(flat, box(2, 4, -1, 1)) == pytest.approx(0, abs=1e-17)


def test_a_point_shares_nothing():
    assert overlap(polygon((3, 0), (3, 0), (3, 0)), box(2, 4, -1, 1)) == 0


def test_a_dented_subject_is_cut_right():
    # an L of three squares along the equator; the clip takes the two of its upper row, of which one is there
    bent = polygon((0, -1), (1, -1), (2, -1), (2, 0), (1, 0), (1, 1), (0, 1), (0, 0))
    assert overlap(bent, box(0, 2, 0, 5)) == pytest.approx(area(box(0, 1, 0, 1)), rel=1e-13)


def test_a_comb_is_cut_into_its_teeth():
    # teeth of one degree, every second missing, joined below the equator; the clip takes what is above
    teeth = [(w + x, y) for w in range(10, -1, -2) for x, y in ((1, 1), (0, 1), (0, 0), (-1, 0))][:-2]
    comb = polygon((0, -1), (11, -1), (11, 0), *teeth, (0, 0))
    upper = box(-5, 15, 0, 5)
    expected = sum(area(box(w, w + 1, 0, 1)) for w in range(0, 11, 2))
    assert overlap(comb, upper) == pytest.approx(expected, rel=1e-12)


def test_polygons_of_many_corners():
    many = ring(60, 20)
    assert overlap(many, ring(48, 30)) == area(many)
    assert overlap(many, box(0, 90, 0, 90)) == pytest.approx(area(many) / 4, rel=1e-13)


def test_one_huge_polygon_over_many_small_ones():
    cells = Grid.latlon(np.arange(1.0, 90, 2), np.arange(1.0, 90, 2))
    octant, n = box(0, 90, 0, 90), cells.size
    zero, every = np.zeros(n, dtype=np.int64), np.arange(n)
    within = clip.areas(cells.corners, cells.polygon_area, octant, every, zero)
    across = clip.areas(octant, sphere.polygon_areas(octant), cells.corners, zero, every)
    assert np.allclose(within, cells.polygon_area, rtol=1e-15)
    assert np.allclose(across, cells.polygon_area, rtol=1e-11)


triangles = st.tuples(st.integers(0, 9999), st.floats(2, 60))


def random_triangle(seed: int, size: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    turn = np.sort(rng.uniform(0, 2 * np.pi, 3))
    r = np.deg2rad(size)
    corners = np.stack([np.sin(r) * np.cos(turn), np.sin(r) * np.sin(turn), np.full(3, np.cos(r))], axis=-1)
    return corners[None] @ turned(seed)


@settings(max_examples=80, deadline=None)
@given(triangles, triangles)
def test_either_may_be_cut_by_the_other(a, b):
    first, second = random_triangle(*a), random_triangle(*b)
    assert overlap(first, second) == pytest.approx(overlap(second, first), rel=1e-9, abs=1e-15)


@settings(max_examples=80, deadline=None)
@given(triangles, triangles)
def test_an_overlap_is_no_larger_than_either(a, b):
    first, second = random_triangle(*a), random_triangle(*b)
    assert 0 <= overlap(first, second) <= min(area(first), area(second)) * (1 + 1e-12)


@settings(max_examples=50, deadline=None)
@given(triangles, triangles, st.integers(0, 99))
def test_turning_the_sphere_changes_nothing(a, b, seed):
    first, second, rotation = random_triangle(*a), random_triangle(*b), turned(seed)
    assert overlap(first @ rotation, second @ rotation) == pytest.approx(
        overlap(first, second), rel=1e-9, abs=1e-15
    )


@settings(max_examples=50, deadline=None)
@given(triangles, triangles, st.integers(1, 2))
def test_the_first_corner_may_be_any(a, b, shift):
    first, second = random_triangle(*a), random_triangle(*b)
    moved = np.roll(first, shift, axis=1), np.roll(second, shift, axis=1)
    assert overlap(*moved) == pytest.approx(overlap(first, second), rel=1e-9, abs=1e-15)


@settings(max_examples=50, deadline=None)
@given(triangles)
def test_octants_share_all_of_a_polygon_between_them(a):
    octants = Grid.latlon([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0]).corners
    subject = random_triangle(*a)
    zero, every = np.zeros(8, dtype=np.int64), np.arange(8)
    parts = clip.areas(subject, sphere.polygon_areas(subject), octants, zero, every)
    assert parts.sum() == pytest.approx(area(subject), rel=1e-13)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99))
def test_overlaps_agree_with_counting_points(seed):
    # points anywhere on the sphere: which are on the inner side of all six planes?
    first, second = random_triangle(seed, 50.0), random_triangle(seed + 1000, 50.0)
    points = np.random.default_rng(seed).standard_normal((100_000, 3))
    inside = np.ones(len(points), dtype=bool)
    for corners in (first[0], second[0]):
        for k in range(3):
            inside &= points @ np.cross(corners[k], corners[(k + 1) % 3]) >= 0
    part = overlap(first, second) / (4 * np.pi)
    # five standard deviations of the count
    assert abs(inside.mean() - part) <= 5 * np.sqrt(max(part, 1e-5) / len(points))


def test_pairs_do_not_depend_on_each_other(coarse, finer):
    i, j = np.indices((finer.size, coarse.size)).reshape(2, -1)
    whole = clip.areas(coarse.corners, coarse.polygon_area, finer.corners, j, i)
    order = np.random.default_rng(0).permutation(len(i))
    mixed = clip.areas(coarse.corners, coarse.polygon_area, finer.corners, j[order], i[order])
    assert np.array_equal(mixed, whole[order])


def test_no_pairs_have_no_areas(coarse):
    none = np.zeros(0, dtype=np.int64)
    assert len(clip.areas(coarse.corners, coarse.polygon_area, coarse.corners, none, none)) == 0
