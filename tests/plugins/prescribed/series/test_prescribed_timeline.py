"""Records in the time of a run: other calendars, and years that come again."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.errors import DataError
from tradewind.plugins.prescribed import options as said
from tradewind.plugins.prescribed.options import Cycle, Moment, TimeMethod
from tradewind.plugins.prescribed.series.dates import Dates, joined
from tradewind.plugins.prescribed.series.timeline import Timeline, exists, placed

STANDARD, NOLEAP, DAYS_360 = Calendar.STANDARD, Calendar.NOLEAP, Calendar.DAYS_360
DAY = timedelta(days=1)
MEAN, LINEAR = TimeMethod.MEAN, TimeMethod.LINEAR


def months(calendar=NOLEAP, year=1850):
    """Return twelve months: record k is month k + 1, from its first day to the next one's."""
    starts = [calendar.time(year, m) for m in range(1, 13)]
    edges = tuple(zip(starts, [*starts[1:], calendar.time(year + 1)], strict=True))
    return Dates(tuple(a + (b - a) / 2 for a, b in edges), edges, calendar)


def days(calendar=NOLEAP, year=1850, n=365):
    """Return a record at noon of every day of a year."""
    return Dates(tuple(calendar.time(year) + k * DAY + DAY / 2 for k in range(n)), None, calendar)


def timeline(dates, method=MEAN, moment=Moment.END, cycle=Cycle.NONE, by_date=said.Dates.REFUSE):
    return Timeline(dates, method, moment, cycle, by_date, "f.nc, x")


def within(start, length=DAY):
    return Interval(start, start + length)


# ---------------------------------------------------------------------- dates in other years
@pytest.mark.parametrize(
    ("time", "year", "calendar", "expected"),
    [
        (NOLEAP.time(1850, 3, 1, 6), 2000, STANDARD, datetime(2000, 3, 1, 6)),
        (STANDARD.time(2000, 2, 29, 12), 2001, STANDARD, datetime(2001, 3, 1)),
        (STANDARD.time(2000, 12, 31), 1, DAYS_360, DAYS_360.time(2, 1, 1)),
        (DAYS_360.time(5, 2, 30), 2004, STANDARD, datetime(2004, 3, 1)),
        (STANDARD.time(2000, 2, 29, 12), 2004, STANDARD, datetime(2004, 2, 29, 12)),
    ],
)
def test_a_date_that_does_not_exist_becomes_the_begin_of_the_next_month(time, year, calendar, expected):
    assert placed(time, year, calendar) == expected
    assert exists(time, year, calendar) is (expected.day == time.day)


# ---------------------------------------------------------------------- calendars
def test_another_calendar_is_refused_and_both_are_named():
    with pytest.raises(DataError, match="the data have the calendar noleap, the run has standard"):
        timeline(days(year=2000)).weights(within(datetime(2000, 3, 1)))


def test_by_date_the_day_that_a_noleap_file_lacks_lies_on_the_line_around_it():
    # noon of 28 February is record 58, that of 1 March record 59; midnight of the 29th is 12 hours of 48 on
    line = timeline(days(year=2000), LINEAR, by_date=said.Dates.BY_DATE)
    found = dict(line.weights(Interval(datetime(2000, 2, 28), datetime(2000, 2, 29))))
    assert found == pytest.approx({58: 0.75, 59: 0.25})


def test_by_date_february_of_a_noleap_file_lasts_through_the_29th():
    line = timeline(months(year=2000), by_date=said.Dates.BY_DATE)
    assert line.weights(within(datetime(2000, 2, 29))) == ((1, 1.0),)
    assert line.weights(within(datetime(2000, 3, 1))) == ((2, 1.0),)


def test_by_date_the_29th_of_a_standard_file_is_left_out_of_a_noleap_run():
    line = timeline(days(STANDARD, 2000, 366), TimeMethod.PREVIOUS, by_date=said.Dates.BY_DATE)
    assert line.weights(Interval(NOLEAP.time(2000, 2, 28, 12), NOLEAP.time(2000, 2, 28, 13))) == ((58, 1.0),)
    assert line.weights(Interval(NOLEAP.time(2000, 3, 1, 12), NOLEAP.time(2000, 3, 1, 13))) == ((60, 1.0),)


def test_the_own_calendar_of_a_file_needs_no_word():
    assert timeline(months(DAYS_360, 7)).weights(within(DAYS_360.time(7, 2, 30))) == ((1, 1.0),)


# ---------------------------------------------------------------------- cycles
@pytest.mark.parametrize("year", [1996, 1999, 2000])
def test_every_year_has_the_months_of_the_file(year):
    line = timeline(months(), cycle=Cycle.YEAR)
    for month in range(12):
        assert line.weights(within(datetime(year, month + 1, 28))) == ((month, 1.0),)


def test_february_of_a_leap_year_is_a_day_longer():
    line = timeline(months(), cycle=Cycle.YEAR)
    assert line.weights(within(datetime(1996, 2, 29))) == ((1, 1.0),)


def test_a_step_over_new_year_is_given_december_and_january():
    step = Interval(datetime(1999, 12, 31), datetime(2000, 1, 3))
    assert dict(timeline(months(), cycle=Cycle.YEAR).weights(step)) == pytest.approx({11: 1 / 3, 0: 2 / 3})


def test_lines_go_around_new_year():
    # between the middles of December and January lie 31 days: at midnight half of each
    dates = Dates(months().times, None, NOLEAP)
    line = timeline(dates, LINEAR, cycle=Cycle.YEAR)
    found = dict(line.weights(Interval(datetime(1999, 12, 31), datetime(2000, 1, 1))))
    assert found == pytest.approx({11: 0.5, 0: 0.5})


def test_a_year_of_months_is_weighted_by_their_lengths():
    whole = Interval(datetime(2000, 1, 1), datetime(2001, 1, 1))
    lengths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    found = timeline(months(), cycle=Cycle.YEAR).weights(whole)
    assert dict(found) == pytest.approx({k: n / 366 for k, n in enumerate(lengths)})


def test_one_record_for_the_year_is_a_constant():
    edges = ((NOLEAP.time(1850), NOLEAP.time(1851)),)
    once = Dates((NOLEAP.time(1850, 7, 1),), edges, NOLEAP)
    assert timeline(once, cycle=Cycle.YEAR).weights(within(datetime(1996, 2, 29), 800 * DAY)) == ((0, 1.0),)


def test_seasons_of_a_climatology_begin_before_new_year():
    # CF climatologies: bounds from the first year's begin to the last year's end of each season
    marks = [(12, 3), (3, 6), (6, 9), (9, 12)]
    edges = tuple((STANDARD.time(1960, a), STANDARD.time(1991, b)) for a, b in marks)
    times = tuple(STANDARD.time(1975, m, 16) for m in (1, 4, 7, 10))
    line = timeline(Dates(times, edges, STANDARD, True, True), cycle=Cycle.YEAR)
    found = [line.weights(within(datetime(2003, month, 10)))[0][0] for month in (12, 1, 2, 3, 8, 11)]
    assert found == [0, 0, 0, 1, 2, 3]


def test_a_leap_day_of_the_file_is_left_out_of_other_years():
    line = timeline(days(STANDARD, 2000, 366), LINEAR, cycle=Cycle.YEAR)
    found = dict(line.weights(Interval(datetime(2001, 2, 28), datetime(2001, 3, 1))))
    assert found == pytest.approx({58: 0.5, 60: 0.5})
    assert line.weights(Interval(datetime(2004, 2, 28), datetime(2004, 2, 29, 12))) == ((59, 1.0),)


def test_several_years_make_no_cycle():
    years = [*months().times, *months(year=1851).times]
    dates = Dates(tuple(years), None, NOLEAP)
    with pytest.raises(DataError, match="several records hold at 01-16 12:00: these are several years"):
        timeline(dates, LINEAR, cycle=Cycle.YEAR).weights(within(datetime(2000, 5, 1)))


def test_half_a_year_makes_no_cycle():
    dates = Dates(months().times[:6], None, NOLEAP)
    with pytest.raises(DataError, match=r"nothing is known for \d+ days from 06-16 on \(a cycle needs"):
        timeline(dates, LINEAR, cycle=Cycle.YEAR).weights(within(datetime(2000, 5, 1)))


def test_a_month_that_lacks_its_bounds_is_a_gap():
    edges = months().edges
    dates = Dates(months().times[:11], edges[:11], NOLEAP)
    line = timeline(dates, cycle=Cycle.YEAR)
    clock = Clock(datetime(2000, 6, 1), datetime(2001, 3, 1), DAY)
    with pytest.raises(DataError, match="the data leave a gap in 2000-06-01"):
        line.refuse_uncovered(clock)


def test_a_run_of_many_years_is_covered():
    line = timeline(months(), cycle=Cycle.YEAR)
    line.refuse_uncovered(Clock(datetime(1990, 6, 1), datetime(2010, 6, 1), DAY))
    assert len(line._kept) == 1


# ---------------------------------------------------------------------- laws
@st.composite
def steps(draw):
    """Return a climatology of months or days, and a step of whole hours that is cut in two."""
    calendar, own = draw(st.sampled_from(list(Calendar))), draw(st.sampled_from(list(Calendar)))
    dates = draw(
        st.sampled_from(
            [months(own), days(own, n=360 if own is DAYS_360 else 365), Dates(months(own).times, None, own)]
        )
    )
    start = calendar.time(draw(st.integers(1900, 2099)), draw(st.integers(1, 12)), draw(st.integers(1, 28)))
    hours = draw(st.integers(2, 24 * 800))
    cut = draw(st.integers(1, hours - 1))
    return timeline(dates, cycle=Cycle.YEAR), start, timedelta(hours=cut), timedelta(hours=hours)


@given(steps())
def test_means_over_parts_of_any_year_of_any_calendar_add_up(drawn):
    line, start, cut, length = drawn
    of = np.random.default_rng(3).normal(size=len(line.dates))

    def mean(first, last):
        weights = line.weights(Interval(first, last))
        assert sum(w for _, w in weights) == pytest.approx(1.0, abs=1e-12)
        return sum(w * of[k] for k, w in weights)

    share = cut / length
    parts = share * mean(start, start + cut) + (1 - share) * mean(start + cut, start + length)
    assert parts == pytest.approx(mean(start, start + length), abs=1e-11)


@given(steps(), st.sampled_from([TimeMethod.LINEAR, TimeMethod.NEAREST, TimeMethod.PREVIOUS]))
def test_a_cycle_knows_every_moment(drawn, method):
    line, start, cut, _ = drawn
    at = timeline(line.dates, method, cycle=Cycle.YEAR).weights(Interval(start, start + cut))
    assert sum(weight for _, weight in at) == pytest.approx(1.0)
    assert all(weight >= 0.0 for _, weight in at)


@given(st.integers(0, 10_000), st.sampled_from(list(Moment)))
def test_stamps_lie_where_they_are_said_to(seed, stamps):
    lengths = np.random.default_rng(seed).integers(1, 50, size=5)
    marks = [datetime(2000, 1, 1) + timedelta(hours=int(h)) for h in np.cumsum([0, *lengths])]
    times = {Moment.START: marks[:-1], Moment.END: marks[1:]}
    if stamps is Moment.MIDDLE:
        marks = [datetime(2000, 1, 1) + k * timedelta(hours=int(lengths[0])) for k in range(6)]
        times[stamps] = [a + (b - a) / 2 for a, b in pairwise(marks)]
    found = Dates(tuple(times[stamps]), None, STANDARD).stamped(stamps, "f.nc")
    # the outermost interval is as long as its neighbour; all others are exact
    inner = slice(1, None) if stamps is Moment.END else slice(None, -1)
    assert found.edges[inner] == tuple(pairwise(marks))[inner]
    assert all(a[1] == b[0] for a, b in pairwise(found.edges))


# ---------------------------------------------------------------------- dates of files
def read(write, hours, **about):
    from tradewind.plugins.prescribed.series.dates import read_dates

    ds = write.dataset(np.zeros(len(hours)), hours, **about)
    return read_dates(ds, ds["x"], "time", "f.nc")


def test_fractions_of_days_are_read_to_the_millisecond(write):
    days_since = [1 / 24, 2 / 24, 1 / 3]
    found = read(write, days_since, time={"units": "days since 1900-01-01"})
    assert found.times == tuple(datetime(1900, 1, 1, h) for h in (1, 2, 8))


@pytest.mark.parametrize(
    ("written", "last"), [("noleap", NOLEAP.time(2000, 3, 1)), ("360_day", DAYS_360.time(2000, 2, 30))]
)
def test_the_calendar_of_the_file_counts(write, written, last):
    assert read(write, [0, 59 * 24], time={"calendar": written}).times[1] == last


def test_bounds_are_found(write):
    found = read(write, [0, 1], bounds=[[0, 1], [1, 2]])
    assert (found.edges[1][1], found.climatological) == (datetime(2000, 1, 1, 2), False)


def climatology(write):
    """Write two halves of a year, means over 1961 to 1990, as CF writes climatologies."""
    days = {m: (datetime(1961, m, 1) - datetime(1961, 1, 1)).days * 24 for m in (1, 7)}
    last = (datetime(1990, 7, 1) - datetime(1961, 1, 1)).days * 24
    end = (datetime(1991, 1, 1) - datetime(1961, 1, 1)).days * 24
    ds = write.dataset([1.0, 2.0], [2160, 6480], since="1961-01-01", bounds=[[days[1], last], [days[7], end]])
    ds["time"].attrs["climatology"] = ds["time"].attrs.pop("bounds")
    ds.to_netcdf(write.folder / "x.nc")
    return write.folder / "x.nc"


def test_a_climatology_is_replayed_year_by_year(write, make_replay):
    step = make_replay(climatology(write), cycle="year")
    assert (step(0, 24), step(24 * 200, 24 * 201)) == (1.0, 2.0)
    assert step(24 * 181, 24 * 183) == pytest.approx(1.5)  # 30 June and 1 July 2000


def test_a_climatology_is_not_taken_for_a_series(write, make_replay):
    with pytest.raises(DataError, match=r"is a climatology \(say `cycle: year`\)"):
        make_replay(climatology(write))


def test_a_climatology_of_the_year_one_has_dates_in_an_older_calendar(write, make_replay):
    months_of_hours = [(datetime(2001, m, 15) - datetime(2001, 1, 1)).days * 24 for m in range(1, 13)]
    path = write(range(12), months_of_hours, since="0001-01-01")
    assert make_replay(path, time="previous", at="start", cycle="year")(24 * 60, 24 * 61) == 1.0
    with pytest.raises(DataError, match="begins before the reform of 1582"):
        make_replay(path)


@pytest.mark.parametrize(
    ("about", "match"),
    [
        ({"time": {"units": "hours"}}, "units 'hours' are no times"),
        ({"time": {"calendar": "julian"}}, "times cannot be read"),
        ({"time": {"units": "months since 2000-01-01"}}, "times cannot be read"),
        ({"time": {"bounds": "lost"}}, "the bounds 'lost' of 'time' are missing"),
        ({"bounds": [[0, 1], [2, 2]]}, "time bounds from .* are no interval"),
    ],
)
def test_times_that_cannot_be_read_are_refused(write, about, match):
    with pytest.raises(DataError, match=match):
        read(write, [0, 1], **about)


def test_a_missing_time_is_refused(write):
    with pytest.raises(DataError, match="time 1 is missing"):
        read(write, [0.0, np.nan])


def test_files_of_several_calendars_do_not_follow_each_other():
    with pytest.raises(DataError, match=r"b\.nc: has the calendar standard, a\.nc the calendar noleap"):
        joined([days(), days(STANDARD, 1851)], ["a.nc", "b.nc"])


def test_bounds_are_in_all_files_or_in_none():
    with pytest.raises(DataError, match=r"b\.nc: time bounds are in a\.nc or here, not in both"):
        joined([months(), days(year=1851)], ["a.nc", "b.nc"])


def test_bounds_that_overlap_are_refused():
    edges = ((NOLEAP.time(1850), NOLEAP.time(1850, 3)), (NOLEAP.time(1850, 2), NOLEAP.time(1850, 4)))
    dates = Dates((NOLEAP.time(1850, 2), NOLEAP.time(1850, 3)), edges, NOLEAP)
    with pytest.raises(DataError, match="time bounds overlap"):
        joined([dates], ["a.nc"])
