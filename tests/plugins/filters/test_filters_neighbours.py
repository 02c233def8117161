"""What is within reach, against all distances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.assimilation.places import positions, separations
from tradewind.plugins.filters.local.neighbours import boxed, near, placed, rule, straight_radius
from tradewind.plugins.filters.options import Localization


def found(points, observations, near_, groups=None):
    """Return the neighbours of points, each an array of numbers and one of weights."""
    boxes = boxed(placed(*observations, near_), straight_radius(near_))
    groups = np.arange(len(points[0]) + 1) if groups is None else groups
    starts, index, weights = near(placed(*points, near_), groups, boxes, rule(near_))
    pairs = pairwise(starts)
    return [(index[a:b], weights[a:b]) for a, b in pairs]


def expected(points, observations, near_):
    distance = near_.distance
    return separations(positions(*points, distance), positions(*observations, distance), distance)


def places(n, seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-180, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))


@settings(max_examples=30)
@given(
    st.sampled_from([("km", 800.0), ("km", 5e4), ("degrees", 0.0), ("degrees", 30.0), ("plane", 25.0)]),
    st.integers(0, 60),
    st.integers(0, 99),
)
def test_nobody_is_missed_and_nobody_else_comes(how, m, seed):
    near_ = Localization(radius=how[1], distance=how[0], taper="boxcar")
    points, observations = places(15, seed), places(m, seed + 1000)
    distances = expected(points, observations, near_)
    for row, (index, weights) in zip(distances, found(points, observations, near_), strict=True):
        np.testing.assert_array_equal(index, np.flatnonzero(row <= how[1]))
        np.testing.assert_array_equal(weights, 1.0)


@pytest.mark.parametrize("longitude", [180.0, -180.0, 0.0])
def test_poles_and_the_date_line_are_no_edges(longitude):
    observations = np.array([longitude + 1.0, longitude - 1.0, 0.0, 90.0]), np.array([0.0, 0.0, 89.5, 89.5])
    seen = found((np.array([longitude, 200.0]), np.array([0.0, 89.5])), observations,
                 Localization(radius=150.0))  # fmt: skip
    assert [list(index) for index, _ in seen] == [[0, 1], [2, 3]]


def test_exactly_at_the_radius_is_within_reach():
    # 3-4-5
    near_ = Localization(radius=5.0, distance="plane", taper="boxcar")
    observations = np.array([3.0, 5.0, 5.001]), np.array([4.0, 0.0, 0.0])
    ((index, _),) = found((np.zeros(1), np.zeros(1)), observations, near_)
    assert list(index) == [0, 1]


def test_a_group_is_as_far_as_its_members_on_average():
    # points at 0 and 2; an observation at 3 is 3 and 1 away: 2 on average; one at -2 likewise 3
    near_ = Localization(radius=2.5, distance="plane", taper="exponential", support=2.0)
    points, observations = (np.array([0.0, 2.0]), np.zeros(2)), (np.array([-2.0, 3.0]), np.zeros(2))
    ((index, weights),) = found(points, observations, near_, np.array([0, 2]))
    assert list(index) == [1]
    assert weights == pytest.approx([np.exp(-1.0)])


def test_small_weights_can_be_left_out():
    near_ = {"radius": 2.0, "distance": "plane"}
    observations = np.array([1.0, 1.999, 2.0]), np.zeros(3)
    point = np.zeros(1), np.zeros(1)
    ((every, weights),) = found(point, observations, Localization(**near_))
    ((some, _),) = found(point, observations, Localization(**near_, least=1e-3))
    assert (list(every), list(some)) == ([0, 1, 2], [0])
    assert weights[2] == 0.0  # at the radius: seen, without weight


def test_what_a_point_sees_does_not_depend_on_the_others():
    near_ = Localization(radius=3000.0)
    points, observations = places(40, 1), places(200, 2)
    together = found(points, observations, near_)
    for k in (0, 7, 39):
        ((index, weights),) = found((points[0][k : k + 1], points[1][k : k + 1]), observations, near_)
        assert index.tobytes() == together[k][0].tobytes()
        assert weights.tobytes() == together[k][1].tobytes()
