"""Hours at inlets: what is read, what is left out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.errors import DataError
from tradewind.surrogates.footprints.observations import Footprints, Window, read_hours

EDGES = np.array([0.0, 1.0, 2.0])
BOUNDS = np.array([[0.0, 1.0], [1.0, 2.0]])


def dataset(**given):
    """Return a file of three hours and 2 x 2 cells; variables that are given as None are left out."""
    each = {
        "release_lat": 1.0,
        "release_lon": 1.0,
        "inlet_height": 20.0,
        "wind_speed": 5.0,
        "wind_from_direction": 180.0,
        "pblh": 500.0,
        "temperature": 10.0,
        "pressure": 1000.0,
        "species": "inert",
        "run": 0,
    } | {k: v for k, v in given.items() if k not in {"fp", "time"}}
    fp = given.get("fp", np.ones((3, 2, 2)))
    time = given.get("time", np.datetime64("2020-01-01") + np.arange(3) * np.timedelta64(1, "h"))
    variables = {name: ("obs", np.broadcast_to(v, 3)) for name, v in each.items() if v is not None}
    return xr.Dataset(
        {"fp": (("obs", "lat", "lon"), fp), **variables, "lat_bnds": (("lat", "nv"), BOUNDS)},
        coords={"time": ("obs", time), "lat": [0.5, 1.5], "lon": [0.5, 1.5]},
    )


@pytest.fixture
def written(tmp_path):
    def write(**given):
        path = tmp_path / "footprints.nc"
        dataset(**given).to_netcdf(path)
        return path

    return write


def test_a_file_is_read(written):
    found = Footprints.read(written())
    assert found.values.shape == (3, 2, 2)
    assert found.dropped == 0
    assert found.hours.time.tolist() == [438288.0, 438289.0, 438290.0]  # 50 years with 12 leap days, in hours
    # edges of longitude follow from the centres, those of latitude from the bounds
    assert found.window.west_east.tolist() == found.window.south_north.tolist() == EDGES.tolist()


@pytest.mark.parametrize(
    ("name", "value"), [("pblh", np.nan), ("wind_speed", -1.0), ("pressure", 5.0), ("release_lat", 91.0)]
)
def test_an_hour_without_weather_that_can_be_is_left_out_and_counted(written, name, value):
    usual = dataset()[name].values.astype(float).copy()
    usual[1] = value
    found = Footprints.read(written(**{name: usual}))
    assert (len(found), found.dropped) == (2, 1)


@pytest.mark.parametrize("value", [np.nan, -1e-3])
def test_an_hour_without_a_footprint_that_can_be_is_left_out(written, value):
    fp = np.ones((3, 2, 2))
    fp[2, 0, 1] = value
    assert Footprints.read(written(fp=fp)).dropped == 1


def test_a_file_without_a_usable_hour_is_refused(written):
    with pytest.raises(DataError, match=r"no hour with weather and a footprint"):
        Footprints.read(written(fp=np.full((3, 2, 2), np.nan)))


def test_a_variable_that_is_missing_is_named(written):
    with pytest.raises(DataError, match=r"footprints\.nc: has no variable 'pblh'"):
        Footprints.read(written(pblh=None))


def test_a_file_that_is_none_is_named(tmp_path):
    path = tmp_path / "other.nc"
    path.write_text("text")
    with pytest.raises(DataError, match=r"other\.nc: cannot be read"):
        Footprints.read(path)
    with pytest.raises(DataError, match=r"absent\.nc: cannot be read"):
        Footprints.read(tmp_path / "absent.nc")


def test_a_time_without_a_date_is_refused(written):
    with pytest.raises(DataError, match=r"'time' is no time"):
        read_hours(written(time=np.arange(3)))


def test_dimensions_may_come_in_any_order(tmp_path):
    fp = np.arange(12.0).reshape(3, 2, 2)
    dataset(fp=fp).transpose("lat", "lon", "obs", "nv").to_netcdf(tmp_path / "turned.nc")
    assert np.array_equal(Footprints.read(tmp_path / "turned.nc").values, fp)


def test_footprints_with_ages_of_their_own_are_refused(tmp_path):
    ds = dataset()
    ds["fp"] = ds.fp.expand_dims(age=2)
    ds.to_netcdf(tmp_path / "aged.nc")
    with pytest.raises(DataError, match="'fp' has dimensions age, obs, lat, lon, expected obs, lat, lon"):
        Footprints.read(tmp_path / "aged.nc")


def test_kelvin_is_told_by_its_values(written):
    hours, _ = read_hours(written(temperature=283.15))
    assert hours.temperature.tolist() == pytest.approx([10.0] * 3)


def test_tracers_have_several_names(written):
    hours, _ = read_hours(written(species="Rn"))
    assert set(hours.tracer) == {"radon-222"}
    assert hours.lifetime[0] == pytest.approx(3.8235 * 24 / np.log(2), rel=1e-3)


def test_an_unknown_tracer_is_refused(written):
    with pytest.raises(DataError, match=r"the tracer 'sf6' is unknown"):
        read_hours(written(species="sf6"))


def test_without_runs_a_gap_or_another_inlet_begins_one(written):
    time = np.datetime64("2020-01-01") + np.array([0, 1, 5]) * np.timedelta64(1, "h")
    hours, _ = read_hours(written(run=None, time=time))
    assert hours.run.tolist() == [0, 0, 1]
    hours, _ = read_hours(written(run=None, inlet_height=np.array([20.0, 100.0, 100.0])))
    assert hours.run.tolist() == [0, 1, 1]


def test_the_wind_blows_from_where_it_comes(make_hours):
    east, north = make_hours(2, wind_speed=3.0, wind_from=np.array([270.0, 0.0])).wind
    assert east.tolist() == pytest.approx([3.0, 0.0])
    assert north.tolist() == pytest.approx([0.0, -3.0])


def test_edges_must_ascend():
    with pytest.raises(DataError, match="south_north: edges do not ascend"):
        Window(EDGES[::-1], EDGES)


def test_shapes_must_fit(make_hours, window):
    with pytest.raises(DataError, match=r"shape \(2, 11, 11\), expected \(1, 11, 11\)"):
        Footprints(make_hours(1), window, np.zeros((2, 11, 11)))


@pytest.mark.shared
def test_the_reference_file_is_read_whole(shared):
    found = Footprints.read(shared / "data" / "name_footprints.nc")
    assert (found.values.shape, found.dropped) == ((315, 12, 12), 0)
    assert np.bincount(found.hours.run).tolist() == [97, 145, 48, 25]
    assert found.window.south_north[1] - found.window.south_north[0] == pytest.approx(0.234, abs=1e-3)
