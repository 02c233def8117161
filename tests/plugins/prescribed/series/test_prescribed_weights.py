"""How much of which record a step is given: numbers worked out by hand, and laws that hold for all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.plugins.prescribed.options import TimeMethod
from tradewind.plugins.prescribed.series.weights import Axis, NotCoveredError

LINEAR, NEAREST, PREVIOUS = TimeMethod.LINEAR, TimeMethod.NEAREST, TimeMethod.PREVIOUS


def points(*ticks):
    return Axis(np.array(ticks), None, np.arange(len(ticks)))


def intervals(*edges):
    edges = np.array(edges)
    return Axis(edges.sum(1) // 2, edges, np.arange(len(edges)))


THREE = points(0, 10, 30)
"""Two gaps of different length."""
SHIFTS = intervals((0, 4), (4, 10), (10, 20))
"""Three intervals of 4, 6 and 10, with middles at 2, 7 and 15."""


# ---------------------------------------------------------------------- a moment
@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (0, {0: 1.0}),
        (4, {0: 0.6, 1: 0.4}),
        (10, {1: 1.0}),
        (25, {1: 0.25, 2: 0.75}),
        (30, {2: 1.0}),
    ],
)
def test_between_points_values_lie_on_a_line(t, expected):
    assert dict(THREE.at(t, LINEAR)) == pytest.approx(expected)


@pytest.mark.parametrize(("t", "record"), [(0, 0), (4, 0), (5, 1), (19, 1), (20, 2), (30, 2)])
def test_the_nearer_of_two_points_and_halfway_the_later(t, record):
    assert THREE.at(t, NEAREST) == ((record, 1.0),)


@pytest.mark.parametrize(("t", "record"), [(0, 0), (9, 0), (10, 1), (29, 1), (30, 2)])
def test_the_point_that_came_last(t, record):
    assert THREE.at(t, PREVIOUS) == ((record, 1.0),)


@pytest.mark.parametrize(("t", "record"), [(0, 0), (3, 0), (4, 1), (9, 1), (10, 2), (19, 2), (20, 2)])
def test_the_interval_around_a_moment_which_begins_where_the_one_before_ends(t, record):
    assert SHIFTS.at(t, PREVIOUS) == ((record, 1.0),)


@pytest.mark.parametrize(
    ("t", "expected"),
    [
        (0, {0: 1.0}),
        (2, {0: 1.0}),
        (3, {0: 0.8, 1: 0.2}),
        (11, {1: 0.5, 2: 0.5}),
        (15, {2: 1.0}),
        (20, {2: 1.0}),
    ],
)
def test_lines_go_through_the_middles_of_intervals_and_end_with_the_outermost(t, expected):
    assert dict(SHIFTS.at(t, LINEAR)) == pytest.approx(expected)


@pytest.mark.parametrize("method", [LINEAR, NEAREST, PREVIOUS])
@pytest.mark.parametrize("t", [-1, 31])
def test_nothing_is_extrapolated(t, method):
    with pytest.raises(NotCoveredError, match="outside"):
        THREE.at(t, method)


@pytest.mark.parametrize("method", [LINEAR, NEAREST, PREVIOUS])
def test_a_moment_in_a_gap_between_intervals_is_refused(method):
    with pytest.raises(NotCoveredError, match="gap"):
        intervals((0, 4), (6, 8)).at(5, method)


def test_one_interval_alone_holds_throughout():
    assert intervals((0, 4)).at(1, LINEAR) == ((0, 1.0),)


# ---------------------------------------------------------------------- a mean
def test_the_mean_over_a_triangle_is_half_its_height():
    # values 0, 1, 0: the mean over both lines is 1/2
    assert dict(points(0, 10, 20).mean(0, 20)) == pytest.approx({0: 0.25, 1: 0.5, 2: 0.25})


def test_the_mean_over_a_part_of_a_line_is_its_value_in_the_middle():
    # from 2 to 6 of a line from 0 to 10: at 4
    assert dict(points(0, 10).mean(2, 6)) == pytest.approx({0: 0.6, 1: 0.4})


def test_the_mean_over_intervals_counts_how_much_of_each_lies_in_the_step():
    # from 2 to 12: 2 of the first, 6 of the second, 2 of the third
    assert SHIFTS.mean(2, 12) == ((0, 0.2), (1, 0.6), (2, 0.2))


def test_the_mean_within_one_interval_is_its_value():
    assert SHIFTS.mean(11, 12) == ((2, 1.0),)


@pytest.mark.parametrize(("a", "b"), [(-1, 5), (25, 31)])
def test_a_mean_needs_data_throughout(a, b):
    with pytest.raises(NotCoveredError, match="outside"):
        THREE.mean(a, b)


def test_a_mean_over_a_gap_is_refused():
    gappy = intervals((0, 4), (6, 8))
    assert gappy.mean(6, 8) == ((1, 1.0),)
    with pytest.raises(NotCoveredError, match="gap"):
        gappy.mean(3, 7)


def test_a_cycle_gives_records_once_however_often_they_come():
    axis = Axis(np.array([0, 10, 20, 30]), None, np.array([0, 1, 0, 1]))
    assert dict(axis.mean(0, 20)) == pytest.approx({0: 0.5, 1: 0.5})


# ---------------------------------------------------------------------- laws
ticks = st.lists(st.integers(0, 10_000_000_000), min_size=2, max_size=8, unique=True).map(sorted)


@st.composite
def cut(draw):
    """Return an axis of points or of intervals, and a step within it that is cut into parts."""
    marks = draw(ticks)
    axis = points(*marks) if draw(st.booleans()) else intervals(*pairwise(marks))
    begins, ends = axis.span
    inner = st.integers(begins, ends)
    edges = draw(st.lists(inner, min_size=2, max_size=5, unique=True).map(sorted)) if ends > begins else []
    return axis, edges


def values(axis):
    return np.random.default_rng(1).normal(size=int(axis.record.max()) + 1)


def total(weights, of):
    return sum(weight * of[record] for record, weight in weights)


@given(cut())
def test_the_mean_of_the_parts_is_the_mean_of_the_whole(drawn):
    axis, edges = drawn
    whole = edges[-1] - edges[0]
    of = values(axis)
    parts = sum(total(axis.mean(a, b), of) * (b - a) / whole for a, b in pairwise(edges))
    assert parts == pytest.approx(total(axis.mean(edges[0], edges[-1]), of), abs=1e-11)


@given(cut())
def test_weights_of_a_mean_sum_to_one_and_are_not_negative(drawn):
    axis, edges = drawn
    weights = [weight for _, weight in axis.mean(edges[0], edges[-1])]
    assert sum(weights) == pytest.approx(1.0, abs=1e-12)
    assert min(weights) > 0.0


@given(ticks, st.floats(0.0, 1.0))
def test_the_mean_of_a_line_through_all_points_is_its_value_in_the_middle(marks, share):
    # an oracle without segments: values that are linear in time have the mean (x(a) + x(b)) / 2
    axis, a = points(*marks), marks[0]
    b = marks[0] + max(1, int(share * (marks[-1] - marks[0])))
    of = np.array(marks) / marks[-1]
    assert total(axis.mean(a, b), of) == pytest.approx((a + b) / 2 / marks[-1], rel=1e-9)


@given(cut())
def test_the_mean_is_the_integral_by_trapezoids_between_all_corners(drawn):
    axis, edges = drawn
    if axis.edges is not None:
        return
    a, b = edges[0], edges[-1]
    of = values(axis)
    corners = np.unique([a, b, *(p for p in axis.points.tolist() if a < p < b)])
    found = np.trapezoid(np.interp(corners, axis.points, of), corners) / (b - a)
    assert total(axis.mean(a, b), of) == pytest.approx(found, abs=1e-9)


@given(ticks, st.floats(0.0, 1.0))
def test_lines_agree_with_numpy(marks, share):
    axis, t = points(*marks), marks[0] + int(share * (marks[-1] - marks[0]))
    of = values(axis)
    assert total(axis.at(t, LINEAR), of) == pytest.approx(np.interp(t, marks, of), abs=1e-9)


@given(cut(), st.sampled_from([LINEAR, NEAREST, PREVIOUS]))
def test_at_a_moment_at_most_two_records_count(drawn, method):
    axis, edges = drawn
    weights = axis.at(edges[0], method)
    assert 1 <= len(weights) <= 2
    assert sum(weight for _, weight in weights) == pytest.approx(1.0)
