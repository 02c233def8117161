"""Coupling intervals and windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.clock import Clock
from tradewind.errors import ConfigError

START = datetime(1996, 1, 10)
HOUR = timedelta(hours=1)


def clock(hours: int = 48, step: int = 6) -> Clock:
    return Clock(START, START + hours * HOUR, step * HOUR)


def test_two_days_are_eight_steps_of_six_hours():
    assert len(clock()) == 8
    first, *_, last = clock()
    assert (first.start, first.stop) == (START, START + 6 * HOUR)
    assert (last.start, last.stop) == (START + 42 * HOUR, START + 48 * HOUR)


def test_an_interval_knows_its_length_and_prints_its_ends():
    first = next(iter(clock()))
    assert first.seconds == 21600.0
    assert str(first) == "1996-01-10 00:00/1996-01-10 06:00"


@given(st.integers(1, 20), st.integers(1, 12))
def test_intervals_follow_each_other_without_gap(count, step):
    found = list(clock(count * step, step))
    assert len(found) == count
    assert all(a.stop == b.start for a, b in pairwise(found))


def test_between_two_edges_lie_the_steps_of_that_stretch():
    found = list(clock().between(START + 6 * HOUR, START + 18 * HOUR))
    assert [i.start for i in found] == [START + 6 * HOUR, START + 12 * HOUR]


def test_between_an_edge_and_itself_lies_nothing():
    assert list(clock().between(START, START)) == []


def test_windows_cut_the_run_into_equal_parts():
    found = clock().windows(24 * HOUR)
    assert [w.start for w in found] == [START, START + 24 * HOUR]
    assert {w.seconds for w in found} == {86400.0}


@pytest.mark.parametrize("hours", [9, 36, 0, -6, 96])
def test_windows_that_do_not_fit_are_refused(hours):
    with pytest.raises(ConfigError):
        clock().windows(hours * HOUR)


@pytest.mark.parametrize("time", [START + HOUR, START - 6 * HOUR, START + 54 * HOUR])
def test_a_time_that_is_no_edge_is_refused(time):
    with pytest.raises(ConfigError, match="not an edge"):
        list(clock().between(START, time))


@pytest.mark.parametrize(("hours", "step"), [(0, 6), (-6, 6), (6, 0), (6, -6)])
def test_a_run_goes_forward(hours, step):
    with pytest.raises(ConfigError, match="no steps"):
        clock(hours, step)


def test_a_run_is_a_whole_number_of_steps():
    with pytest.raises(ConfigError, match="whole number of steps"):
        clock(20, 6)
