"""Observations from a file: which window they belong to, what they see, and what is left out."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
import xarray as xr
from pydantic import ValidationError

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError, UnitsError
from tradewind.plugins.observations.column import ColumnOperator
from tradewind.plugins.observations.options import ColumnOptions, PointOptions
from tradewind.plugins.observations.point import PointOperator
from tradewind.plugins.options import FOLDER

START = datetime(1996, 1, 16)
DAY = timedelta(days=1)
FIRST, SECOND = (Interval(START + k * DAY, START + (k + 1) * DAY) for k in range(2))
GRID = Grid.latlon([30.5, 31.5], [-101.5, -100.5])


def observed(units: str = "1e-9", step: timedelta = DAY, **kind) -> Observed:
    return Observed("air.column", Variable("column", units, GRID, **kind), Layout(GRID), step)


AIR = observed()
NAN = float("nan")


def dataset(**changes) -> xr.Dataset:
    """Three columns: two at the end of the first day, one at the end of the second."""
    values = {
        "time": np.array(["1996-01-17", "1996-01-18", "1996-01-17"], dtype="datetime64[ns]"),
        "latitude": [30.6, 31.4, 31.6],
        "longitude": [-101.4, -100.6, -100.4],
        "xch4": [1850.0, 1860.0, 1870.0],
        "xch4_uncertainty": [10.0, 12.0, 14.0],
        "background": [1800.0, 1801.0, 1802.0],
    } | changes
    ds = xr.Dataset({name: ("obs", v) for name, v in values.items()})
    for name in ("xch4", "xch4_uncertainty", "background"):
        ds[name].attrs["units"] = "1e-9"
    return ds


@pytest.fixture
def write(tmp_path):
    def write(ds: xr.Dataset):
        ds.to_netcdf(tmp_path / "columns.nc")
        return tmp_path / "columns.nc"

    return write


@pytest.fixture
def column(write):
    def column(options=None, **changes):
        file = write(dataset(**changes))
        return ColumnOperator(ColumnOptions(file=file, **(options or {})), AIR)

    return column


def h(operator, window):
    """Return H at the window's end."""
    looks = operator.looks(window)
    assert list(looks) == [("air.column", window.stop)]
    return looks["air.column", window.stop].linearize(torch.zeros(4).double())


def test_an_observation_belongs_to_the_window_at_whose_end_it_was_made(column):
    seen = column().windows((FIRST, SECOND))
    assert seen[FIRST].y.tolist() == [1850.0, 1870.0]
    assert seen[SECOND].y.tolist() == [1860.0]
    assert seen[FIRST].covariance.diagonal().tolist() == [100.0, 196.0]


def test_observations_say_where_and_when(column):
    coordinates = column().windows((FIRST, SECOND))[FIRST].coordinates
    assert coordinates["latitude"].tolist() == [30.6, 31.6]
    assert coordinates["longitude"].tolist() == [-101.4, -100.4]
    assert coordinates["time"].tolist() == np.array(["1996-01-17"] * 2, dtype="datetime64[ns]").tolist()


def test_a_window_without_observations_is_there_and_empty(column):
    later = Interval(SECOND.stop, SECOND.stop + DAY)
    operator = column()
    seen = operator.windows((FIRST, SECOND, later))
    assert len(seen[later]) == 0
    assert h(operator, later).range.size == 0
    assert operator.offset(later).shape == (0,)


def test_cells_are_read_in_the_order_of_the_observations(column):
    matrix = h(column(), FIRST)
    assert matrix.forward(torch.tensor([1.0, 2.0, 3.0, 4.0]).double()).tolist() == [1.0, 4.0]
    assert dot_test(matrix) <= 1e-15


def test_bilinear_reads_between_the_centres(column):
    # the mean of four, but for rows that are shorter in the north by a hundredth
    place = {"latitude": [31.0] * 3, "longitude": [-101.0] * 3}
    matrix = h(column({"sampling": "bilinear"}, **place), SECOND)
    assert matrix.forward(torch.tensor([1.0, 2.0, 3.0, 6.0]).double()).tolist() == pytest.approx(
        [3.0], abs=5e-3
    )
    assert dot_test(matrix) <= 1e-15


def test_there_is_no_offset_unless_a_background_is_named(column):
    assert column().offset(FIRST).tolist() == [0.0, 0.0]
    assert column({"background": "background"}).offset(FIRST).tolist() == [1800.0, 1802.0]


@pytest.mark.parametrize(
    ("units", "factor"), [("ppb", 1.0), ("1e-6", 1e3), ("mol mol-1", 1e9), ("1e-9", 1.0)]
)
def test_units_of_the_file_become_ppb(write, units, factor):
    ds = dataset()
    for name in ("xch4", "xch4_uncertainty", "background"):
        ds[name].attrs["units"] = units
    operator = ColumnOperator(ColumnOptions(file=write(ds), background="background"), AIR)
    assert operator.windows((FIRST, SECOND))[SECOND].y.tolist() == pytest.approx([1860.0 * factor])
    assert operator.windows((FIRST, SECOND))[SECOND].covariance.diagonal().tolist() == pytest.approx(
        [(12 * factor) ** 2]
    )
    assert operator.offset(SECOND).tolist() == pytest.approx([1801.0 * factor])


def test_an_export_in_other_units_is_compared_in_those(write):
    operator = ColumnOperator(ColumnOptions(file=write(dataset())), observed("1e-6"))
    assert operator.units == "1e-6"
    assert operator.windows((FIRST, SECOND))[SECOND].y.tolist() == pytest.approx([1.86])


def test_variables_are_found_by_their_standard_name(write):
    ds = dataset().rename(xch4="column", xch4_uncertainty="sigma", latitude="y")
    ds["column"].attrs["standard_name"] = "dry_atmosphere_mole_fraction_of_methane"
    ds["y"].attrs["standard_name"] = "latitude"
    options = ColumnOptions(
        file=write(ds), variable="dry_atmosphere_mole_fraction_of_methane", uncertainty="sigma"
    )
    assert ColumnOperator(options, AIR).windows((FIRST, SECOND))[SECOND].y.tolist() == [1860.0]


def test_a_point_is_read_in_the_units_of_the_export(write):
    ds = dataset().rename(xch4="temperature", xch4_uncertainty="temperature_uncertainty")
    ds["temperature"].attrs["units"] = ds["temperature_uncertainty"].attrs["units"] = "K"
    operator = PointOperator(PointOptions(file=write(ds), variable="temperature", units="K"), observed("K"))
    assert operator.windows((FIRST, SECOND))[SECOND].y.tolist() == [1860.0]


# ---------------------------------------------------------------------- time
def times(*texts):
    return {"time": np.array(texts, dtype="datetime64[ns]")}


def test_a_minute_off_is_on_time(column):
    seen = column(**times("1996-01-16T23:59", "1996-01-17T00:01", "1996-01-18")).windows((FIRST, SECOND))
    assert [len(seen[w]) for w in (FIRST, SECOND)] == [2, 1]


def test_two_minutes_off_is_counted_and_left_out(column):
    operator = column(**times("1996-01-16T23:58", "1996-01-17", "1996-01-18"))
    seen = operator.windows((FIRST, SECOND))
    assert [len(seen[w]) for w in (FIRST, SECOND)] == [1, 1]
    assert operator.notes == ["1 of 3 observations left out: they were made at the end of no step"]


def test_the_tolerance_can_be_wider(column):
    operator = column({"tolerance": 3600.0}, **times("1996-01-16T23:58", "1996-01-17", "1996-01-18T00:59"))
    operator.windows((FIRST, SECOND))
    assert operator.notes == []


def test_asking_for_windows_again_does_not_count_twice(column):
    operator = column(**times("1996-01-16T12:00", "1996-01-17", "1996-01-18"))
    operator.windows((FIRST, SECOND))
    operator.windows((FIRST, SECOND))
    assert len(operator.notes) == 1


def test_a_tolerance_that_joins_two_windows_is_refused(column):
    with pytest.raises(ConfigError, match="tolerance of 43200 s, but steps end 86400 s apart"):
        column({"tolerance": 43200.0}).windows((FIRST, SECOND))


def test_observations_of_another_year_are_refused(column):
    with pytest.raises(
        DataError, match=r"3 of 3 observations .* in no window: 1996-01-16 00:00 to 1996-01-18 00:00"
    ):
        column(**times("1997-01-17", "1997-01-17", "1997-01-18")).windows((FIRST, SECOND))


# ---------------------------------------------------------------------- what is left out
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"xch4": [1850.0, NAN, 1870.0]}, "its value is missing"),
        ({"xch4": [1850.0, float("inf"), 1870.0]}, "its value is missing"),
        ({"xch4_uncertainty": [10.0, NAN, 14.0]}, "its uncertainty is missing or not positive"),
        ({"xch4_uncertainty": [10.0, 0.0, 14.0]}, "its uncertainty is missing or not positive"),
        ({"latitude": [30.6, NAN, 31.6]}, "its place is missing or not on earth"),
        ({"latitude": [30.6, 91.0, 31.6]}, "its place is missing or not on earth"),
        ({"longitude": [-101.4, NAN, -100.4]}, "its place is missing or not on earth"),
        (times("1996-01-17", "NaT", "1996-01-17"), "its time is missing"),
        ({"longitude": [-101.4, -110.0, -100.4]}, "it is outside of the grid"),
    ],
)
def test_an_observation_that_cannot_be_used_is_counted_with_its_reason(column, changes, reason):
    operator = column(**changes)
    assert len(operator.soundings) == 2
    assert len(operator.notes) == 1
    assert operator.notes[0].endswith(f"dropped: {reason}")
    assert operator.notes[0].startswith("1 of 3")
    assert operator.windows((FIRST, SECOND))[FIRST].y.tolist() == [1850.0, 1870.0]


def test_a_missing_background_counts_only_where_a_background_is_asked_for(column):
    gap = {"background": [1800.0, NAN, 1802.0]}
    assert column(**gap).notes == []
    assert column({"background": "background"}, **gap).notes == [
        "1 of 3 observations dropped: its background is missing"
    ]


def test_an_observation_with_two_faults_is_counted_once(column):
    operator = column(xch4=[1850.0, NAN, 1870.0], xch4_uncertainty=[10.0, NAN, -1.0])
    assert [note.split()[0] for note in operator.notes] == ["1", "1"]


def test_nothing_left_is_refused_with_the_reasons(column):
    with pytest.raises(
        DataError, match=r"columns.nc: no observation can be used: 2 of 3 .*missing; 1 of 1 .*outside"
    ):
        column(xch4=[NAN, NAN, 1.0], longitude=[0.0, 0.0, 0.0])


# ---------------------------------------------------------------------- files
def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc: cannot be read"):
        ColumnOperator(ColumnOptions(file=tmp_path / "absent.nc"), AIR)


def test_a_file_that_is_no_netcdf_is_named(tmp_path):
    (tmp_path / "columns.nc").write_text("not netCDF")
    with pytest.raises(DataError, match=r"columns\.nc: cannot be read"):
        ColumnOperator(ColumnOptions(file=tmp_path / "columns.nc"), AIR)


def test_a_missing_variable_names_the_nearest(column):
    with pytest.raises(DataError, match="did you mean 'xch4'"):
        column({"variable": "ch4"})


def test_missing_units_are_not_guessed(write):
    ds = dataset()
    del ds["xch4"].attrs["units"]
    with pytest.raises(UnitsError, match=r"columns.nc, xch4: units are missing"):
        ColumnOperator(ColumnOptions(file=write(ds)), AIR)


def test_units_of_something_else_are_refused(write):
    ds = dataset()
    ds["xch4"].attrs["units"] = "K"
    with pytest.raises(UnitsError, match="xch4"):
        ColumnOperator(ColumnOptions(file=write(ds)), AIR)


def test_an_export_that_is_no_mole_fraction_is_refused(write):
    with pytest.raises(UnitsError, match="kg m-2"):
        ColumnOperator(ColumnOptions(file=write(dataset())), observed("kg m-2"))


def test_variables_must_share_their_dimension(write):
    ds = dataset().drop_vars("latitude")
    ds["latitude"] = ("row", [30.6, 31.4])
    with pytest.raises(DataError, match=r"latitude has dimensions \('row',\)"):
        ColumnOperator(ColumnOptions(file=write(ds)), AIR)


def test_a_calendar_without_dates_is_refused(write):
    ds = dataset(time=[0.0, 1.0, 2.0])
    with pytest.raises(DataError, match="times are float64"):
        ColumnOperator(ColumnOptions(file=write(ds)), AIR)


@pytest.mark.parametrize("calendar", [Calendar.NOLEAP, Calendar.DAYS_360])
def test_a_run_of_another_calendar_is_refused(column, calendar):
    window = Interval(calendar.time(1996, 1, 16), calendar.time(1996, 1, 17))
    with pytest.raises(ConfigError, match=f"made in the standard calendar, the run's is {calendar}"):
        column().windows((window,))


def test_the_file_is_looked_for_beside_the_run_config(tmp_path):
    options = ColumnOptions.model_validate({"file": "columns.nc"}, context={FOLDER: tmp_path})
    assert options.file == tmp_path / "columns.nc"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"file": "a.nc", "tolerance": -1.0},
        {"file": "a.nc", "sampling": "cubic"},
        {"file": "a.nc", "x": 1},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        ColumnOptions(**settings)
