"""When observations look at a field: the end of a step, between two, means; and their windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ConfigError, DataError
from tradewind.plugins.observations.options import PointOptions, TimeMeanOptions
from tradewind.plugins.observations.point import PointOperator
from tradewind.plugins.observations.time_mean import TimeMeanOperator
from tradewind.plugins.observations.timing.parts import AtEnd
from tradewind.plugins.observations.timing.windows import Dealer, tolerance_of

HOUR = timedelta(hours=1)
RISING = {k: [10.0 * k + c for c in range(4)] for k in range(13)}
"""What stands in cell c after k hours: 10 k + c."""


@pytest.fixture
def point(write, air, cell):
    """Return a point operator of observations in cells 0, 1, ... at the given hours."""

    def point(hours, initial=False, **options):
        n = len(hours)
        file = write(hours, cell.lon[:n], cell.lat[:n], np.zeros(n))
        return PointOperator(PointOptions(file=file, variable="gas", **options), air(initial=initial))

    return point


def times(operator, window):
    return [(time - datetime(2000, 1, 1)) // HOUR for _, time in operator.looks(window)]


def test_an_observation_within_a_window_looks_at_the_end_of_its_step(point, windows, simulate):
    operator = point([2.0, 3.0, 4.0])
    assert len(operator.windows(windows)[windows[0]]) == 3
    assert times(operator, windows[0]) == [2, 3, 4]
    assert simulate(operator, windows[0], RISING) == [20.0, 31.0, 42.0]


def test_what_is_made_where_windows_meet_belongs_to_the_first(point, windows):
    seen = point([4.0, 8.0, 12.0], initial=True).windows(windows)
    assert [len(seen[w]) for w in windows] == [1, 1, 1]


def test_half_a_minute_is_within_the_tolerance_and_two_are_not(point, windows):
    operator = point([2.0 + 1 / 120, 3.0 + 2 / 60, 4.0])
    assert len(operator.windows(windows)[windows[0]]) == 2
    assert operator.notes == ["1 of 3 observations left out: they were made at the end of no step"]


def test_linear_in_time_weighs_the_ends_of_two_steps(point, windows, simulate):
    # a quarter past two: 3/4 of 20 and 1/4 of 30; on the hour that hour alone
    operator = point([2.25, 3.0], in_time="linear")
    operator.windows(windows)
    assert times(operator, windows[0]) == [2, 3]
    assert simulate(operator, windows[0], RISING) == [22.5, 31.0]


@pytest.mark.parametrize(("initial", "left"), [(True, 2), (False, 1)])
def test_before_the_first_step_ends_only_a_state_can_be_seen(point, windows, initial, left):
    operator = point([0.5, 3.5], initial=initial, in_time="linear")
    assert len(operator.windows(windows)[windows[0]]) == left
    reason = "1 of 2 observations left out: they were made before the end of the window's first step"
    assert operator.notes == ([] if initial else [reason])


def test_a_state_is_seen_as_the_run_begins(point, windows, simulate):
    operator = point([0.0, 1.0], initial=True)
    operator.windows(windows)
    assert times(operator, windows[0]) == [0, 1]
    assert simulate(operator, windows[0], RISING) == [0.0, 11.0]


def test_what_is_made_outside_of_the_run_is_counted(point, windows):
    operator = point([-5.0, 1.0, 13.0])
    operator.windows(windows)
    assert operator.notes == ["2 of 3 observations left out: they were made in no window"]


def test_the_tolerance_is_a_minute_unless_steps_are_short():
    assert tolerance_of(None, HOUR) == timedelta(minutes=1)
    assert tolerance_of(None, timedelta(seconds=3)) == timedelta(seconds=1)
    with pytest.raises(ConfigError, match="a tolerance of 30 s, but steps end 60 s apart"):
        tolerance_of(30.0, timedelta(seconds=60))


# ---------------------------------------------------------------------- what is shared
def test_windows_that_see_the_same_share_looks_places_and_errors(write, air, windows):
    hours = np.array([1.0, 2.0, 5.0, 6.0, 9.0, 9.0])
    file = write(hours, np.full(6, -101.5), np.full(6, 30.5), np.arange(6.0))
    operator = PointOperator(PointOptions(file=file, variable="gas"), air())
    first, second, third = windows
    seen = operator.windows(windows)
    assert [seen[w].y.tolist() for w in windows] == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    looks = [[*operator.looks(w).values()] for w in windows]
    assert all(a is b for a, b in zip(looks[0], looks[1], strict=True))
    assert looks[2][0] not in looks[0]  # both at the end of the first step
    assert seen[first].coordinates["longitude"] is seen[second].coordinates["longitude"]
    assert seen[first].covariance is seen[third].covariance


def test_a_window_is_looked_at_without_asking_for_all(point, windows, simulate):
    operator = point([2.0, 5.0])
    assert simulate(operator, windows[1], RISING) == [51.0]


# ---------------------------------------------------------------------- means over time
def mean_over(write, air, hours, **options):
    n = len(hours)
    file = write(hours, [-101.5] * n, [30.5] * n, np.zeros(n))
    settings_ = TimeMeanOptions(file=file, variable="gas", **options)
    return TimeMeanOperator(settings_, air())


def test_a_mean_over_three_hours_is_that_of_the_ends_of_three_steps(write, air, windows, simulate):
    operator = mean_over(write, air, [4.0, 7.0], duration="3h")
    operator.windows(windows)
    assert simulate(operator, windows[0], RISING) == pytest.approx([(20 + 30 + 40) / 3])
    assert simulate(operator, windows[1], RISING) == pytest.approx([(50 + 60 + 70) / 3])


def test_a_mean_that_begins_before_its_window_is_left_out(write, air, windows):
    operator = mean_over(write, air, [6.0, 7.0], duration="3h")
    operator.windows(windows)
    assert operator.notes == ["1 of 2 observations left out: their mean begins before the window"]


def test_a_mean_over_a_part_of_a_step_is_refused(write, air):
    with pytest.raises(ConfigError, match="no whole number of steps of 1:00:00"):
        mean_over(write, air, [1.0], duration="90min")


def test_a_mean_is_adjoint_to_itself(write, air, windows):
    operator = mean_over(write, air, [4.0], duration="2h")
    operator.windows(windows)
    parts = [
        look.linearize(torch.zeros(4)).adjoint(torch.ones(1).double()) for look in looks(operator, windows)
    ]
    assert [part.tolist() for part in parts] == [[0.5, 0.0, 0.0, 0.0]] * 2


def looks(operator, windows):
    return operator.looks(windows[0]).values()


# ---------------------------------------------------------------------- dealing
@settings(max_examples=40)
@given(st.lists(st.integers(-10, 130), min_size=1, max_size=30), st.randoms())
def test_every_observation_has_the_one_window_that_holds_it(tenths, shuffle):
    # ten tenths of an hour a step, ten steps, in windows of one to four steps given in any order
    start, bounds = datetime(2000, 1, 1), [0, 1, 4, 6, 10]
    windows = [Interval(start + a * HOUR, start + b * HOUR) for a, b in pairwise(bounds)]
    shuffle.shuffle(windows)
    made = np.datetime64(start, "ns") + np.array(tenths) * np.timedelta64(6, "m")
    dealt = Dealer(HOUR, timedelta(minutes=1), AtEnd(), initial=False).deal(made, windows)
    found = {}
    for w, window in enumerate(windows):
        mine = dealt.order[dealt.bounds[w] : dealt.bounds[w + 1]]
        assert mine.tolist() == sorted(mine.tolist())
        found |= {int(k): window for k in mine}
    for k, tenth in enumerate(tenths):
        at = start + tenth * timedelta(minutes=6)
        wanted = [w for w in windows if w.start < at <= w.stop and tenth % 10 == 0]
        assert ([found[k]] if k in found else []) == wanted


def test_nothing_in_any_window_is_refused(point, windows):
    with pytest.raises(
        DataError, match=r"in no window: 2000-01-01 00:00 to 2000-01-01 12:00, in steps of 1:00:00"
    ):
        point([100.0]).windows(windows)
