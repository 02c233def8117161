"""Coupling intervals and windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.coupling.time.clock import Clock, longest_divisor
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


# ---------------------------------------------------------------------- calendars
def february(calendar: Calendar) -> Clock:
    """Return the clock from 28 February to 2 March 1996, in days."""
    return Clock(calendar.time(1996, 2, 28), calendar.time(1996, 3, 2), 24 * HOUR)


@pytest.mark.parametrize(
    ("calendar", "days"),
    [
        (Calendar.STANDARD, ["02-28", "02-29", "03-01"]),
        (Calendar.NOLEAP, ["02-28", "03-01"]),
        (Calendar.DAYS_360, ["02-28", "02-29", "02-30", "03-01"]),
    ],
)
def test_the_days_around_the_end_of_february(calendar, days):
    assert [f"{i.start:%m-%d}" for i in february(calendar)] == days
    assert len(february(calendar)) == len(days)


@pytest.mark.parametrize("calendar", list(Calendar))
def test_edges_stretches_and_windows_are_of_the_clocks_calendar(calendar):
    run = february(calendar)
    assert run.calendar is calendar
    assert run.is_edge(calendar.time(1996, 3, 1))
    assert not run.is_edge(calendar.time(1996, 3, 1, 12))
    (last,) = run.between(calendar.time(1996, 3, 1), calendar.time(1996, 3, 2))
    assert last == run.windows(24 * HOUR)[-1]
    assert last.seconds == 86400.0


def test_an_interval_of_another_calendar_prints_its_ends():
    assert str(list(february(Calendar.DAYS_360))[2]) == "1996-02-30 00:00/1996-03-01 00:00"


def test_a_run_stays_in_one_calendar():
    with pytest.raises(
        ConfigError, match=r"clock: 1996-03-02 .* is of the noleap calendar, .* of the standard"
    ):
        Clock(START, Calendar.NOLEAP.time(1996, 3, 2), HOUR)


def test_a_moment_of_another_calendar_is_no_edge_and_says_so():
    with pytest.raises(ConfigError, match=r"of the 360_day calendar, .* of the standard calendar"):
        list(clock().between(START, Calendar.DAYS_360.time(1996, 1, 11)))


# ---------------------------------------------------------------------- steps within
@pytest.mark.parametrize(("hours", "count"), [(6, 1), (3, 2), (2, 3), (1, 6), (0.5, 12)])
def test_a_components_steps_divide_the_coupling_interval(hours, count):
    assert clock().nested(hours * HOUR) == count


@pytest.mark.parametrize(
    ("hours", "better"), [(4, "3:00:00"), (5, "3:00:00"), (12, "6:00:00"), (7, "6:00:00")]
)
def test_steps_that_do_not_are_refused_with_ones_that_would(hours, better):
    words = rf"land: steps of {hours}:00:00 do not divide the coupling interval of 6:00:00 \({better} would"
    with pytest.raises(ConfigError, match=words):
        clock().nested(hours * HOUR, "land")


@pytest.mark.parametrize("hours", [0, -6])
def test_steps_go_forward(hours):
    with pytest.raises(ConfigError, match="do not divide"):
        clock().nested(hours * HOUR)


@pytest.mark.parametrize(
    ("minutes", "longest"), [(240, 180), (360, 360), (420, 360), (35, 30), (59, 45), (1, 1)]
)
def test_the_longest_divisor_of_six_hours_by_hand(minutes, longest):
    assert longest_divisor(6 * HOUR, minutes * HOUR / 60) == longest * HOUR / 60


@given(st.integers(1, 500), st.integers(1, 10**9))
def test_the_longest_divisor_divides_and_is_not_too_long(seconds, microseconds):
    whole, limit = timedelta(seconds=seconds), timedelta(microseconds=microseconds)
    assert longest_divisor(whole, limit) <= limit or limit < timedelta(seconds=1)
    if limit >= timedelta(seconds=1):
        assert not whole % longest_divisor(whole, limit)
