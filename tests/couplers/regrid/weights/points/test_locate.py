"""In which element a point lies: by hand, on sides and corners, near and far."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import sphere
from tradewind.couplers.regrid.weights.points.elements import Elements
from tradewind.couplers.regrid.weights.points.locate import located

NOTHING = np.zeros(0, dtype=np.int64)


def unit(*lonlat: tuple[float, float]) -> np.ndarray:
    lon, lat = np.array(lonlat, dtype=float).T
    return sphere.unit_vectors(lon, lat)


def elements(places: np.ndarray, corners) -> Elements:
    return Elements(
        places, np.array(corners, dtype=np.int64), np.zeros(1, dtype=np.int64), NOTHING, np.zeros(0)
    )


SQUARE = unit((-1, -1), (1, -1), (1, 1), (-1, 1))
QUAD = elements(SQUARE, [[0, 1, 2, 3]])
TRIANGLE = elements(SQUARE, [[0, 1, 2, -1]])
TWO = elements(unit((-1, -1), (1, -1), (1, 1), (-1, 1), (3, -1), (3, 1)), [[0, 1, 2, 3], [1, 4, 5, 2]])


def found(mesh: Elements, lon: float, lat: float) -> tuple[int, np.ndarray]:
    element, weights = located(mesh, unit((lon, lat)))
    return int(element[0]), weights[0]


def test_the_middle_of_a_quadrilateral_is_a_quarter_of_each_corner():
    element, weights = found(QUAD, 0, 0)
    assert element == 0
    assert weights == pytest.approx([0.25] * 4, abs=1e-15)


def test_barycentric_weights_of_a_triangle():
    # half-way along the diagonal from (-1, -1) to (1, 1)
    element, weights = found(TRIANGLE, 0, 0)
    assert element == 0
    assert weights == pytest.approx([0.5, 0, 0.5, 0], abs=1e-15)


def test_what_a_triangle_leaves_of_the_square_is_outside():
    assert found(TRIANGLE, -0.5, 0.5)[0] == -1


@pytest.mark.parametrize("place", [(1.1, 0), (0, -1.1), (180, 0), (90, 0), (0, 90), (178.9, 0.3)])
def test_outside_is_nowhere(place):
    element, weights = found(QUAD, *place)
    assert element == -1
    assert not weights.any()


@pytest.mark.parametrize("corner", range(4))
@pytest.mark.parametrize("mesh", [QUAD, TRIANGLE], ids=["quad", "triangle"])
def test_at_a_corner_its_weight_is_one_exactly(mesh, corner):
    if mesh is TRIANGLE and corner == 3:
        return
    _, weights = located(mesh, SQUARE[corner : corner + 1])
    assert weights[0].tolist() == np.eye(4)[corner].tolist()


def test_on_a_shared_side_the_first_element_counts():
    assert found(TWO, 1, 0.3)[0] == 0
    turned = elements(TWO.places, TWO.corners[::-1])
    assert found(turned, 1, 0.3)[0] == 0


def test_either_element_gives_the_same_weights_on_the_shared_side():
    _, left = found(TWO, 1, 0.3)
    _, right = found(elements(TWO.places, TWO.corners[1:]), 1, 0.3)
    assert left[[1, 2]] == pytest.approx(right[[0, 3]], abs=1e-12)


def test_just_outside_of_everything_the_nearest_counts():
    # 1e-8 degrees are 5e-9 of the width of the square
    element, weights = found(QUAD, 1 + 1e-8, 0)
    assert element == 0
    assert weights == pytest.approx([0, 0.5, 0.5, 0], abs=1e-12)


def test_a_bit_further_out_nothing_counts():
    assert found(QUAD, 1 + 1e-6, 0)[0] == -1


def test_a_quadrilateral_with_two_corners_at_one_place_is_a_triangle():
    # rows of centres at the pole itself: two corners of every element coincide there
    places = unit((0, 80), (30, 80), (30, 90), (0, 90))
    element, weights = found(elements(places, [[0, 1, 2, 3]]), 15, 85)
    flat = found(elements(places, [[0, 1, 2, -1]]), 15, 85)[1]
    assert element == 0
    assert weights[:2] == pytest.approx(flat[:2], abs=1e-12)
    assert weights[2] + weights[3] == pytest.approx(flat[2], abs=1e-12)


@pytest.mark.parametrize("turns", range(4))
def test_wherever_the_corners_start_the_weights_are_the_same(turns):
    order = np.roll(np.arange(4), turns)
    places = unit((-1, -1), (2, -0.5), (1.5, 1), (-0.7, 1.4))
    _, plain = found(elements(places, [np.arange(4)]), 0.3, 0.2)
    _, turned = found(elements(places, [order]), 0.3, 0.2)
    assert turned == pytest.approx(plain[order], abs=1e-9)


def test_clockwise_corners_are_as_good():
    places = unit((-1, -1), (2, -0.5), (1.5, 1), (-0.7, 1.4))
    _, plain = found(elements(places, [[0, 1, 2, 3]]), 0.3, 0.2)
    _, turned = found(elements(places, [[0, 3, 2, 1]]), 0.3, 0.2)
    assert turned == pytest.approx(plain[[0, 3, 2, 1]], abs=1e-9)
    assert found(elements(places, [[0, 2, 1, -1]]), 0.9, 0.0)[0] == 0


def test_an_element_as_large_as_an_octant_holds_its_middle():
    octant = elements(unit((0, 0), (90, 0), (0, 90)), [[0, 1, 2, -1]])
    element, weights = found(octant, 45, np.rad2deg(np.arcsin(np.sqrt(1 / 3))))
    assert element == 0
    assert weights[:3] == pytest.approx([1 / 3] * 3, abs=1e-12)


def test_elements_without_area_hold_nothing():
    flat = elements(unit((0, 0), (1, 0), (2, 0)), [[0, 1, 2, -1]])
    assert found(flat, 0.5, 0.5)[0] == -1
    assert found(elements(unit((0, 0)), [[0, 0, 0, 0]]), 0.5, 0)[0] == -1


def test_no_elements_and_no_points():
    assert located(elements(SQUARE, np.zeros((0, 4))), SQUARE)[0].tolist() == [-1] * 4
    assert located(QUAD, np.zeros((0, 3)))[1].shape == (0, 4)


@st.composite
def quadrilateral(draw) -> np.ndarray:
    """A convex quadrilateral somewhere, some degrees wide."""
    lon, lat = draw(st.floats(-180, 180)), draw(st.floats(-60, 60))
    jitter = st.floats(-0.8, 0.8)
    corners = [(-2, -2), (2, -2), (2, 2), (-2, 2)]
    return unit(*[(lon + x + draw(jitter), lat + y + draw(jitter)) for x, y in corners])


@settings(max_examples=50)
@given(quadrilateral(), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_the_place_that_weights_make_is_found_with_these_weights(corners, u, v):
    w = np.array([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
    point = w @ corners
    element, weights = located(elements(corners, [[0, 1, 2, 3]]), (point / np.linalg.norm(point))[None])
    assert element[0] == 0
    # the search stops within 1e-10 of the radius
    assert np.abs(weights[0] @ corners - point).max() <= 1e-10


@settings(max_examples=50)
@given(quadrilateral(), st.floats(-4, 4), st.floats(-4, 4))
def test_weights_are_never_negative_and_sum_to_one(corners, dx, dy):
    lon, lat = sphere.lon_lat(corners.mean(axis=0))
    element, weights = located(elements(corners, [[0, 1, 2, 3]]), unit((lon + dx, lat + dy)))
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1.0 if element[0] == 0 else 0.0, abs=1e-15)


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_the_other_points_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    points = unit(*rng.uniform(-4, 4, (12, 2)))
    whole = located(TWO, points)
    for k in range(12):
        alone = located(TWO, points[k : k + 1])
        assert alone[0][0] == whole[0][k]
        assert np.array_equal(alone[1][0], whole[1][k])
