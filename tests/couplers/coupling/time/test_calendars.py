"""Calendars: lengths of years and months, texts, and times of files."""

from __future__ import annotations

from datetime import datetime, timedelta

import cftime
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.time.calendars import (
    Calendar,
    calendar_of,
    format_time,
    parse_time,
    refuse_mixed,
    time_axis,
    times_of,
)
from tradewind.errors import ConfigError, DataError

DAY = timedelta(days=1)
STANDARD, NOLEAP, DAYS_360 = Calendar
every_calendar = pytest.mark.parametrize("calendar", list(Calendar))


# ---------------------------------------------------------------------- lengths
@pytest.mark.parametrize(
    ("calendar", "year", "days"),
    [
        (STANDARD, 1996, 366), (STANDARD, 1997, 365), (STANDARD, 1900, 365), (STANDARD, 2000, 366),
        (NOLEAP, 1996, 365), (NOLEAP, 2000, 365), (NOLEAP, 1, 365),
        (DAYS_360, 1996, 360), (DAYS_360, 1997, 360),
    ],
)  # fmt: skip
def test_lengths_of_years_by_hand(calendar, year, days):
    assert calendar.time(year + 1) - calendar.time(year) == days * DAY
    assert sum(calendar.days_in_month(year, month) for month in range(1, 13)) == days


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [(STANDARD, "1996-02-29"), (NOLEAP, "1996-03-01"), (DAYS_360, "1996-02-29")],
)
def test_the_day_after_the_28th_of_february(calendar, expected):
    assert calendar.time(1996, 2, 28) + DAY == parse_time(expected, calendar)


def test_the_day_after_the_30th_is_the_first_in_months_of_30_days():
    assert DAYS_360.time(1996, 12, 30) + DAY == DAYS_360.time(1997)


@every_calendar
@given(st.integers(1, 9000), st.integers(1, 12))
def test_a_month_is_as_long_as_the_way_to_the_next(calendar, year, month):
    following = calendar.time(year + month // 12, month % 12 + 1)
    assert following - calendar.time(year, month) == calendar.days_in_month(year, month) * DAY


# ---------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("name", "calendar"),
    [
        ("standard", STANDARD), ("gregorian", STANDARD), ("proleptic_gregorian", STANDARD),
        ("noleap", NOLEAP), ("365_day", NOLEAP), ("360_day", DAYS_360),
    ],
)  # fmt: skip
def test_calendars_go_by_their_cf_names(name, calendar):
    assert Calendar(name) is calendar


@pytest.mark.parametrize("name", ["julian", "all_leap", "366_day", "none", "", None])
def test_other_calendars_are_refused(name):
    with pytest.raises(ValueError, match="is not a valid Calendar"):
        Calendar(name)


@every_calendar
def test_a_moment_knows_its_calendar(calendar):
    assert calendar_of(calendar.time(1996)) is calendar


def test_only_the_standard_calendar_has_pythons_own_datetimes():
    assert [type(c.time(1996)) for c in Calendar] == [datetime, cftime.datetime, cftime.datetime]


def test_a_moment_of_a_calendar_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match=r"'julian' is not known \(known: standard, noleap, 360_day\)"):
        calendar_of(cftime.datetime(1996, 1, 1, calendar="julian"))


@pytest.mark.parametrize("value", [np.datetime64("1996-01-01"), "1996-01-01", 1996])
def test_what_is_no_moment_has_no_calendar(value):
    with pytest.raises(ConfigError, match="is no moment of model time"):
        calendar_of(value)


# ---------------------------------------------------------------------- texts
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1996-01-10", (1996, 1, 10)),
        ("1996-01-10T06:00", (1996, 1, 10, 6)),
        ("1996-01-10 06:07:08", (1996, 1, 10, 6, 7, 8)),
        ("1996-01-10T06:07:08.25", (1996, 1, 10, 6, 7, 8, 250000)),
        (" 1996-01-10 ", (1996, 1, 10)),
        ("1996-01-10T06:00Z", (1996, 1, 10, 6)),
        ("1996-01-10T06:00+02:00", (1996, 1, 10, 4)),
        ("1996-01-10T22:00-0230", (1996, 1, 11, 0, 30)),
    ],
)
@every_calendar
def test_texts_by_hand(calendar, text, parts):
    assert parse_time(text, calendar) == calendar.time(*parts)


def test_the_30th_of_february_is_in_months_of_30_days():
    assert parse_time("1996-02-30T18:00", DAYS_360) + 6 * timedelta(hours=1) == DAYS_360.time(1996, 3, 1)


@pytest.mark.parametrize(
    ("text", "calendar", "words"),
    [
        ("1996-02-29", NOLEAP, "1996-02-29 does not exist in the noleap calendar: that month has 28 days "
                               r"\(it does in standard and 360_day"),
        ("1997-02-29", STANDARD, r"in the standard calendar: that month has 28 days \(it does in 360_day"),
        ("1996-01-31", DAYS_360, "that month has 30 days .*it does in standard and noleap"),
        ("1996-02-31", DAYS_360, "that month has 30 days$"),
        ("1996-01-00", STANDARD, "1996-01-00 does not exist"),
        ("1996-13-01", NOLEAP, "there is no month 13"),
        ("1996-00-01", STANDARD, "there is no month 0"),
        ("1996-01-10T24:00", STANDARD, "is not a moment of the standard calendar"),
        ("1996-01-10T24:00", NOLEAP, "is not a moment of the noleap calendar"),
        ("1996-01-10T06:60", DAYS_360, "is not a moment of the 360_day calendar"),
        ("0000-01-01", STANDARD, "is not a moment of the standard calendar|year 0"),
        ("0001-01-01T00:00+01:00", STANDARD, "is not a moment of the standard calendar"),
    ],
)  # fmt: skip
def test_moments_that_do_not_exist(text, calendar, words):
    with pytest.raises(ConfigError, match=words):
        parse_time(text, calendar)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "1996",
        "1996-1-1",
        "19960101",
        "10-01-1996",
        "1996-01-10T06",
        "1996-01-10T06:00 pm",
        "1996-01-10T06:00+24:00",
        "1996-01-10T06:00+02:60",
        "1996-01-10T06:00+2",
    ],
)
@every_calendar
def test_what_is_written_otherwise_is_refused_with_an_example(calendar, text):
    with pytest.raises(ConfigError, match=r"is not a date \(write for example 1996-01-10"):
        parse_time(text, calendar)


@every_calendar
@given(st.integers(1, 9000), st.integers(0, 360), st.integers(0, 86_399_999_999))
def test_what_is_written_is_read_back(calendar, year, day, microsecond):
    time = calendar.time(year) + day * DAY + timedelta(microseconds=microsecond)
    assert parse_time(format_time(time), calendar) == time


@every_calendar
@given(st.integers(-(10**15), 10**15))
def test_arithmetic_is_exact_to_the_microsecond(calendar, microseconds):
    # thirty years and back
    time = calendar.time(1996, 1, 10, 6)
    assert (time + timedelta(microseconds=microseconds)) - time == timedelta(microseconds=microseconds)


# ---------------------------------------------------------------------- two calendars
@pytest.mark.parametrize("one", list(Calendar))
@pytest.mark.parametrize("other", list(Calendar))
def test_moments_of_two_calendars_are_not_compared(one, other):
    if one is other:
        refuse_mixed(one.time(1996), other.time(1997))
        return
    words = (
        f"winds: 1996-01-01 00:00:00 is of the {one} calendar, 1997-01-01 00:00:00 of the {other} calendar"
    )
    with pytest.raises(ConfigError, match=words):
        refuse_mixed(one.time(1996), other.time(1997), "winds")


# ---------------------------------------------------------------------- files
def decoded(calendar: str, values=(0.0, 58.5, 59.0), since: str = "1996-01-01"):
    """Return a time axis as xarray reads it, in days since a date."""
    attrs = {"units": f"days since {since}", "calendar": calendar}
    ds = xr.Dataset(coords={"time": ("time", np.array(values), attrs)})
    return xr.decode_cf(ds)["time"].values


@pytest.mark.parametrize(
    ("name", "calendar", "expected"),
    [
        ("standard", STANDARD, ("1996-01-01", "1996-02-28T12:00", "1996-02-29")),
        ("proleptic_gregorian", STANDARD, ("1996-01-01", "1996-02-28T12:00", "1996-02-29")),
        ("noleap", NOLEAP, ("1996-01-01", "1996-02-28T12:00", "1996-03-01")),
        ("365_day", NOLEAP, ("1996-01-01", "1996-02-28T12:00", "1996-03-01")),
        ("360_day", DAYS_360, ("1996-01-01", "1996-02-29T12:00", "1996-02-30")),
    ],
)
def test_times_of_a_file_are_those_of_its_calendar(name, calendar, expected):
    assert times_of(decoded(name)) == tuple(parse_time(text, calendar) for text in expected)


def test_standard_times_beyond_nanoseconds_are_still_datetimes():
    # datetime64[ns] ends in 2262, so xarray may give objects of cftime here
    (time,) = times_of(np.array([cftime.datetime(2500, 3, 1, 6, calendar="standard")], dtype=object))
    assert time == datetime(2500, 3, 1, 6)
    assert type(time) is datetime


def test_standard_times_before_the_reform_are_refused():
    with pytest.raises(DataError, match="before the Gregorian reform"):
        times_of(np.array([cftime.datetime(1582, 10, 4, calendar="standard")], dtype=object), "old.nc")


def test_a_calendar_without_the_reform_has_dates_before_it():
    values = np.array([cftime.datetime(1500, 3, 1, calendar="proleptic_gregorian")], dtype=object)
    assert times_of(values) == (datetime(1500, 3, 1),)


def test_the_day_of_the_reform_is_read():
    reform = np.array([cftime.datetime(1582, 10, 15, calendar="standard")], dtype=object)
    assert times_of(reform) == (datetime(1582, 10, 15),)


def test_microseconds_of_a_file_are_kept():
    values = np.array(["1996-01-01T00:00:00.000250"], dtype="datetime64[ns]")
    assert times_of(values) == (datetime(1996, 1, 1, 0, 0, 0, 250),)


def test_a_scalar_time_is_one_moment():
    assert times_of(np.array("1996-01-01", dtype="datetime64[ns]")) == (datetime(1996, 1, 1),)


@pytest.mark.parametrize("values", [np.array([0.0, 1.0]), np.array([0, 1])])
def test_numbers_are_no_times(values):
    with pytest.raises(DataError, match=r"a\.nc: its times are numbers .*not decoded"):
        times_of(values, "a.nc")


def test_times_beyond_what_a_datetime_holds_are_refused():
    with pytest.raises(DataError, match=r"a\.nc: its times lie beyond the years 1 to 9999"):
        times_of(np.array(["12000-01-01"], dtype="datetime64[s]"), "a.nc")


def test_a_missing_time_is_named():
    with pytest.raises(DataError, match=r"a\.nc: time 1 is missing"):
        times_of(np.array(["1996-01-01", "NaT"], dtype="datetime64[ns]"), "a.nc")


def test_a_file_in_a_calendar_that_is_not_known_is_named():
    with pytest.raises(ConfigError, match=r"a\.nc: the calendar 'julian' is not known"):
        times_of(decoded("julian"), "a.nc")


@every_calendar
def test_moments_go_to_a_file_and_back(calendar, tmp_path):
    times = tuple(calendar.time(1996, 2, 28, hour) + DAY for hour in (0, 6, 12))
    xr.Dataset(coords={"time": time_axis(times)}).to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as ds:
        assert times_of(ds["time"].values) == times
