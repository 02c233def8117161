"""Alarms: what is due at the end of a coupling interval."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.alarms import Alarm, At, Cycle, Every, Monthly, alarm, ringing
from tradewind.couplers.coupling.time.calendars import Calendar, parse_time
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import ConfigError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STANDARD, NOLEAP, DAYS_360 = Calendar


def clock(start: str, stop: str, step: timedelta = 6 * HOUR, calendar: Calendar = STANDARD) -> Clock:
    return Clock(parse_time(start, calendar), parse_time(stop, calendar), step)


def ends(one: Alarm, over: Clock) -> list[str]:
    """Return the ends of the intervals at which it rings, asked interval by interval."""
    return [f"{i.stop:%Y-%m-%d %H}" for i in over if one.rings(i)]


def test_every_twelve_hours_of_a_day_from_its_start():
    run = clock("1996-01-10T18:00", "1996-01-11T18:00")
    assert ends(alarm(12 * HOUR, run), run) == ["1996-01-11 06", "1996-01-11 18"]


def test_months_of_the_standard_calendar():
    run = clock("1996-01-15", "1996-04-01")
    assert ends(alarm(Cycle.MONTH, run), run) == ["1996-02-01 00", "1996-03-01 00", "1996-04-01 00"]


@pytest.mark.parametrize(("calendar", "days"), [(STANDARD, 29), (NOLEAP, 28), (DAYS_360, 30)])
def test_february_is_as_long_as_its_calendar_says(calendar, days):
    run = clock("1996-01-15", "1996-03-15", DAY, calendar)
    february, march = alarm(Cycle.MONTH, run).within(run)
    assert march - february == days * DAY


@pytest.mark.parametrize(("calendar", "days"), [(STANDARD, 366), (NOLEAP, 365), (DAYS_360, 360)])
def test_a_year_rings_on_the_first_of_january(calendar, days):
    run = clock("1995-07-01", "1997-07-01", DAY, calendar)
    first, second = alarm(Cycle.YEAR, run).within(run)
    assert first == calendar.time(1996)
    assert second - first == days * DAY


def test_a_start_at_the_first_is_no_end_of_a_month():
    run = clock("1996-01-01", "1996-02-01", DAY)
    assert ends(alarm(Cycle.MONTH, run), run) == ["1996-02-01 00"]


def test_quarters_begin_in_january_april_july_and_october():
    run = clock("1995-12-01", "1996-12-01", DAY)
    assert [t.month for t in Monthly(3).within(run)] == [1, 4, 7, 10]


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (12 * HOUR, ["1996-01-01 12", "1996-02-01 12", "1996-03-01 12"]),
        (-6 * HOUR, ["1996-01-31 18", "1996-02-29 18"]),
        (14 * DAY, ["1996-01-15 00", "1996-02-15 00", "1996-03-15 00"]),
    ],
)
def test_months_may_be_offset(offset, expected):
    run = clock("1996-01-01", "1996-03-20")
    assert ends(Monthly(offset=offset).on(run), run) == expected


def test_given_times_ring_in_any_order():
    times = datetime(1996, 1, 12), datetime(1996, 1, 11)
    run = clock("1996-01-10", "1996-01-13", DAY)
    assert ends(At(times).on(run), run) == ["1996-01-11 00", "1996-01-12 00"]


@pytest.mark.parametrize("calendar", [NOLEAP, DAYS_360])
def test_given_times_of_another_calendar(calendar):
    times = (parse_time("1996-01-11", calendar),)
    run = clock("1996-01-10", "1996-01-13", DAY, calendar)
    assert ends(At(times).on(run), run) == ["1996-01-11 00"]


def test_nothing_rings_after_the_last_of_given_times():
    assert At((datetime(1996, 1, 11),)).after(datetime(1996, 1, 11)) is None


def test_nothing_rings_before_or_at_the_time_from_which_it_is_counted():
    every = Every(6 * HOUR, datetime(1996, 1, 10))
    assert every.after(datetime(1996, 1, 1)) == datetime(1996, 1, 10, 6)
    assert not every.rings(Interval(datetime(1996, 1, 9, 18), datetime(1996, 1, 10)))


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 6))
def test_every_multiple_of_the_step_rings_at_equal_distances(count, multiple, step):
    length = multiple * step * HOUR
    start = datetime(1996, 1, 10, 5)
    run = Clock(start, start + count * length, step * HOUR)
    rings = [i.stop for i in run if alarm(length, run).rings(i)]
    assert rings == [start + k * length for k in range(1, count + 1)]


@given(st.sampled_from(list(Calendar)), st.sampled_from([1, 2, 3, 4, 6, 12]), st.integers(0, 10**9))
def test_rings_of_months_follow_each_other_and_begin_months(calendar, months, seconds):
    time = calendar.time(1950) + seconds * timedelta(seconds=1)
    rings = [time]
    for _ in range(5):
        rings.append(Monthly(months).after(rings[-1]))
    assert all(a < b for a, b in pairwise(rings))
    assert all(
        (t.day, t.hour, t.minute, t.second, (t.month - 1) % months) == (1, 0, 0, 0, 0) for t in rings[1:]
    )
    # none was left out: a year holds 12 / months of them
    year_later = [t for t in rings[1:] if t <= rings[1].replace(year=rings[1].year + 1)]
    assert len(year_later) == min(5, 12 // months + 1)


def test_several_alarms_are_asked_at_once():
    run = clock("1996-01-31T12:00", "1996-02-01")
    alarms = {"restart": alarm(6 * HOUR, run), "output": alarm(Cycle.MONTH, run)}
    assert [ringing(alarms, i) for i in run] == [("restart",), ("restart", "output")]


def test_it_rings_at_the_end_of_an_interval_whatever_lies_inside():
    day = Interval(datetime(1996, 1, 10), datetime(1996, 1, 11))
    assert Every(6 * HOUR, day.start).rings(day)
    assert not Every(9 * HOUR, day.start).rings(day)


# ---------------------------------------------------------------------- refusals
@pytest.mark.parametrize("hours", [2, 9, 13])
def test_a_length_that_falls_between_two_edges_is_refused(hours):
    with pytest.raises(
        ConfigError, match=r"run\.restart: 1996-01-1\d \d\d:00:00 is the end of no step of 6:00"
    ):
        alarm(hours * HOUR, clock("1996-01-10", "1996-01-12"), "run.restart")


def test_months_at_midnight_never_meet_steps_from_six_to_six():
    with pytest.raises(ConfigError, match="1996-02-01 00:00:00 is the end of no step of 12:00:00"):
        alarm(Cycle.MONTH, clock("1996-01-15T06:00", "1996-02-15T06:00", 12 * HOUR))


@pytest.mark.parametrize("rhythm", [3 * DAY, Cycle.MONTH, Cycle.YEAR])
def test_what_is_longer_than_the_run_never_rings(rhythm):
    with pytest.raises(
        ConfigError, match=r"falls nowhere between 1996-01-10 .* and 1996-01-12 .*shorter than"
    ):
        alarm(rhythm, clock("1996-01-10", "1996-01-12"))


@pytest.mark.parametrize("text", ["1996-01-09", "1996-01-10", "1996-01-10T05:00", "1996-01-13"])
def test_a_given_time_that_is_the_end_of_no_step_is_refused(text):
    with pytest.raises(ConfigError, match="is the end of no step"):
        At((parse_time(text),)).on(clock("1996-01-10", "1996-01-12"))


def test_no_given_times_are_refused():
    with pytest.raises(ConfigError, match=r"falls nowhere"):
        At(()).on(clock("1996-01-10", "1996-01-12"))


def test_given_times_of_two_calendars_are_refused():
    with pytest.raises(ConfigError, match="1996-01-11 00:00:00 is of the noleap calendar"):
        At((NOLEAP.time(1996, 1, 11),)).on(clock("1996-01-10", "1996-01-12"))


@pytest.mark.parametrize("months", [0, -1, 5, 13])
def test_months_divide_a_year(months):
    with pytest.raises(ConfigError, match="do not divide a year"):
        Monthly(months)


@pytest.mark.parametrize("length", [timedelta(0), -HOUR])
def test_every_nothing_is_refused(length):
    with pytest.raises(ConfigError, match="is no time"):
        Every(length, datetime(1996, 1, 10))
