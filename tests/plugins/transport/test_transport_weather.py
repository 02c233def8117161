"""Weather from CF files: any order, any units, and one clear error for what cannot be used."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.errors import ConfigError, DataError, UnitsError
from tradewind.plugins.transport.weather import Weather, hat_weights, interpolate, level_weights

FIELDS = ("u", "v", "pressure", "lat", "lon", "levels")


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def same(a: Weather, b: Weather, tolerance: float = 0.0) -> bool:
    pairs = [(getattr(a, name), getattr(b, name)) for name in FIELDS]
    return a.times == b.times and all(torch.allclose(x, y, rtol=tolerance, atol=0) for x, y in pairs)


def with_units(ds, name, units, factor):
    """Return the dataset with one variable or coordinate in other units."""
    changed = (ds[name].dims, ds[name].values * np.float64(factor), ds[name].attrs | {"units": units})
    return ds.assign_coords({name: changed}) if name in ds.coords else ds.assign({name: changed})


def test_a_file_gives_what_it_holds(analyses):
    weather = Weather.from_dataset(analyses)
    assert weather.times[0] == datetime(1996, 1, 15)
    assert len(weather.times) == 5
    assert weather.levels.tolist() == [100000.0, 50000.0]
    assert weather.u.shape == (5, 2, 33, 22)
    assert weather.pressure.shape == (5, 33, 22)
    assert float(weather.v[3, 1, 10, 4]) == float(analyses["va"].values[3, 1, 10, 4])


def test_dimensions_may_come_in_any_order(analyses):
    turned = analyses.transpose("lon", "plev", "lat", "time")
    assert same(Weather.from_dataset(turned), Weather.from_dataset(analyses))


@pytest.mark.parametrize("axis", ["lat", "lon", "plev"])
def test_axes_may_run_backwards(analyses, axis):
    backwards = analyses.isel({axis: slice(None, None, -1)})
    assert same(Weather.from_dataset(backwards), Weather.from_dataset(analyses))


@pytest.mark.parametrize(
    ("name", "units", "factor"),
    [("psl", "hPa", 0.01), ("ua", "km h-1", 3.6), ("va", "knot", 1 / 0.514444444), ("plev", "hPa", 0.01)],
)
def test_units_are_converted(analyses, name, units, factor):
    converted = Weather.from_dataset(with_units(analyses, name, units, factor))
    assert same(converted, Weather.from_dataset(analyses), tolerance=1e-6)


@pytest.mark.parametrize("units", ["K", ""])
def test_units_of_another_kind_or_none_are_refused(analyses, units):
    with pytest.raises(UnitsError, match="psl"):
        Weather.from_dataset(with_units(analyses, "psl", units, 1.0), "winds.nc")


def test_names_in_the_file_do_not_matter_but_standard_names_do(analyses):
    renamed = analyses.rename(ua="wind_x", lat="y", time="t")
    assert same(Weather.from_dataset(renamed), Weather.from_dataset(analyses))


def test_a_missing_variable_is_named_by_its_standard_name(analyses):
    with pytest.raises(DataError, match=r"winds\.nc: no variable with standard_name northward_wind"):
        Weather.from_dataset(analyses.drop_vars("va"), "winds.nc")


def test_surface_pressure_is_preferred_to_that_at_sea_level(analyses):
    surface = analyses["psl"] - 5000.0
    surface.attrs = {"standard_name": "surface_air_pressure", "units": "Pa"}
    weather = Weather.from_dataset(analyses.assign(ps=surface))
    assert float(weather.pressure.mean()) == pytest.approx(float(surface.mean()), rel=1e-6)


def test_a_missing_coordinate_is_named(analyses):
    unnamed = analyses.drop_vars("plev")
    with pytest.raises(DataError, match="ua has no coordinate air_pressure"):
        Weather.from_dataset(unnamed)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_winds_that_are_not_numbers_are_named_with_their_time(analyses, value):
    broken = analyses.copy(deep=True)
    broken["ua"][{"time": 2, "plev": 1, "lat": 3, "lon": 4}] = value
    with pytest.raises(
        DataError, match="ua holds 1 missing or infinite values, the first at 1996-01-15T12:00"
    ):
        Weather.from_dataset(broken)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.nc: weather file not found"):
        Weather.read(tmp_path / "nowhere.nc")


def test_a_file_is_read_as_its_dataset(analyses, tmp_path):
    analyses.to_netcdf(tmp_path / "day.nc")
    assert same(Weather.read(tmp_path / "day.nc"), Weather.from_dataset(analyses))


@pytest.mark.parametrize(
    ("time", "index", "fraction"),
    [("00:00", 0, 0.0), ("01:30", 0, 0.25), ("06:00", 1, 0.0), ("18:00", 3, 0.0)],
)
def test_a_time_lies_between_two_analyses(analyses, time, index, fraction):
    weather = Weather.from_dataset(analyses)
    assert weather.bracket(datetime.fromisoformat(f"1996-01-15T{time}")) == (index, fraction)


def test_the_last_analysis_ends_the_last_interval(analyses):
    assert Weather.from_dataset(analyses).bracket(datetime(1996, 1, 16)) == (3, 1.0)


@pytest.mark.parametrize("time", [datetime(1996, 1, 14, 23), datetime(1996, 1, 16, 1)])
def test_a_time_outside_the_file_is_refused_with_what_it_covers(analyses, time):
    with pytest.raises(DataError, match="the file covers 1996-01-15 00:00 to 1996-01-16 00:00"):
        Weather.from_dataset(analyses).bracket(time)


@pytest.mark.parametrize("calendar", [Calendar.NOLEAP, Calendar.DAYS_360])
def test_winds_of_the_world_are_refused_in_a_run_of_another_calendar(analyses, calendar):
    words = (
        f"weather: 1996-01-15 06:00:00 is of the {calendar} calendar, 1996-01-15 .* of the standard calendar"
    )
    with pytest.raises(ConfigError, match=words):
        Weather.from_dataset(analyses).bracket(calendar.time(1996, 1, 15, 6))


@pytest.mark.parametrize("calendar", [Calendar.NOLEAP, Calendar.DAYS_360])
def test_winds_of_another_calendar_serve_runs_of_that(analyses, calendar):
    since = {"units": "hours since 1996-02-28", "calendar": str(calendar)}
    moved = xr.decode_cf(
        analyses.assign_coords(time=("time", 12.0 * np.arange(5), analyses.time.attrs | since))
    )
    weather = Weather.from_dataset(moved)
    assert weather.times[2] == calendar.time(1996, 2, 28) + timedelta(days=1)
    assert weather.bracket(calendar.time(1996, 2, 28, 18)) == (1, 0.5)
    with pytest.raises(ConfigError, match="is of the standard calendar"):
        weather.bracket(datetime(1996, 2, 28))


def test_interpolation_by_hand():
    field = torch.tensor([[0.0, 2.0], [4.0, 6.0]], dtype=torch.float64)
    value = interpolate(field, (vector(0, 1), vector(10, 20)), vector(0.25), vector(15))
    assert value.tolist() == [[2.0]]


@given(a=st.floats(-5, 5), b=st.floats(-5, 5), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_interpolation_is_exact_for_planes(a, b, seed):
    lat, lon = vector(0, 1, 3, 7), vector(-10, -8, -7)
    plane = a * lat[:, None] + b * lon + 1.0
    g = torch.Generator().manual_seed(seed)
    y, x = (torch.rand(5, generator=g, dtype=torch.float64) * s + o for s, o in ((7, 0), (3, -10)))
    expected = a * y[:, None] + b * x + 1.0
    assert torch.allclose(interpolate(plane, (lat, lon), y, x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("at", [-0.1, 3.1])
def test_nothing_is_extrapolated(at):
    with pytest.raises(DataError, match="the weather covers 0 to 3 degrees"):
        hat_weights(vector(0, 1, 3), vector(1.0, at))


def test_levels_are_interpolated_in_log_pressure_and_held_beyond():
    weights = level_weights(vector(1e5, 2.5e4), vector(1.1e5, 5e4, 1e4))
    assert weights.tolist() == [[1.0, 0.0], pytest.approx([0.5, 0.5]), [0.0, 1.0]]


def test_a_single_level_serves_all_layers():
    assert level_weights(vector(5e4), vector(9e4, 1e4)).tolist() == [[1.0], [1.0]]
