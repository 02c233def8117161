"""Climatological winds: read as they are, taken at any longitude, given a vertical structure."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.errors import DataError
from tradewind.plugins.jacobian_emulator.weather.climatology import (
    DATA,
    ClimatologicalFlow,
    MonthlyWinds,
    digest,
    heights,
    with_height,
)
from tradewind.plugins.jacobian_emulator.weather.synoptic import LEVELS, SynopticFlow
from tradewind.plugins.transport.weather import Weather

LAT, LON = np.arange(-90.0, 91.0, 30.0), np.arange(20.0, 380.0, 30.0)


def dataset(**changes: object) -> xr.Dataset:
    """Return two months: winds that say where they are, east by longitude and north by latitude."""
    u = np.broadcast_to(np.cos(np.radians(LON)), (2, len(LAT), len(LON)))
    v = np.broadcast_to(LAT[:, None] / 90.0, u.shape) * np.array([1.0, -1.0])[:, None, None]
    axes = ("TIME", "FNOCY", "FNOCX")
    ds = xr.Dataset({"UWND": (axes, u.copy()), "VWND": (axes, v)}, {"FNOCY": LAT, "FNOCX": LON})
    return ds.assign(**changes)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "winds.nc"
    dataset().to_netcdf(path)
    return path


@pytest.fixture
def monthly(file):
    return MonthlyWinds.read(file)


def degrees(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def like() -> Weather:
    lat, lon = (
        torch.linspace(20, 60, 9, dtype=torch.float64),
        torch.linspace(-120, -70, 11, dtype=torch.float64),
    )
    times = tuple(datetime(1996, 1, 5) + k * timedelta(hours=6) for k in range(4))
    nothing = torch.zeros(4, 2, 9, 11, dtype=torch.float64)
    return Weather(times, lat, lon, degrees(1e5, 5e4), nothing, nothing, nothing[:, 0])


def test_winds_on_the_files_points_are_the_files(monthly):
    wind = monthly.at(1, degrees(-30.0, 60.0), degrees(20.0, 110.0))
    assert wind[0].tolist() == pytest.approx(np.cos(np.radians([[20.0, 110.0]] * 2)))
    assert wind[1, :, 0].tolist() == pytest.approx([30 / 90, -60 / 90])


def test_between_points_winds_are_linear(monthly):
    wind = monthly.at(0, degrees(45.0), degrees(35.0))
    assert float(wind[1]) == pytest.approx(0.5)
    assert float(wind[0]) == pytest.approx(0.5 * (math.cos(math.radians(20)) + math.cos(math.radians(50))))


@pytest.mark.parametrize("turns", [-1, 0, 1, 2])
def test_longitudes_go_round_the_earth(monthly, turns):
    """Five degrees east lies between the last longitude, 350, and the first, 20."""
    here = monthly.at(0, degrees(0.0), degrees(5.0 + 360.0 * turns))
    expected = 0.5 * (math.cos(math.radians(350)) + math.cos(math.radians(20)))
    assert float(here[0]) == pytest.approx(expected)


def test_a_latitude_beyond_the_file_is_refused(tmp_path):
    path = tmp_path / "tropics.nc"
    dataset().isel(FNOCY=slice(2, 5)).to_netcdf(path)
    with pytest.raises(DataError, match="covers -30 to 30 degrees"):
        MonthlyWinds.read(path).at(0, degrees(45.0), degrees(0.0))


def test_an_absent_file_names_the_package_that_brings_it(tmp_path):
    with pytest.raises(DataError, match="install the package ferret-datasets"):
        MonthlyWinds.read(tmp_path / "absent.cdf")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.nc"
    dataset().rename(UWND="U").to_netcdf(path)
    with pytest.raises(DataError, match="UWND"):
        MonthlyWinds.read(path)


def test_missing_winds_are_refused(tmp_path):
    path = tmp_path / "holes.nc"
    ds = dataset()
    ds.UWND.values[0, 0, 0] = np.nan
    ds.to_netcdf(path)
    with pytest.raises(DataError, match="missing winds"):
        MonthlyWinds.read(path)


def test_a_file_that_does_not_go_round_the_earth_is_refused(tmp_path):
    path = tmp_path / "half.nc"
    dataset().isel(FNOCX=slice(0, 6)).to_netcdf(path)
    with pytest.raises(DataError, match="covers 180 degrees of longitude"):
        MonthlyWinds.read(path)


def test_a_situation_is_drawn_by_seed(monthly, like):
    flow = ClimatologicalFlow.over(monthly, like, 3)
    assert torch.equal(flow.draw(7).u, flow.draw(7).u)
    assert not torch.equal(flow.draw(7).u, flow.draw(8).u)
    assert flow.draw(7).u.shape == (3, len(LEVELS), 9, 11)


def test_without_disturbances_the_lowest_wind_is_the_months_strengthened(like):
    """Ten-metre wind of 4 m/s everywhere; at about 100 m it is stronger by (100 / 10) ** exponent."""
    even = torch.full((1, 3, 4), 4.0, dtype=torch.float64)
    monthly = MonthlyWinds(degrees(-90.0, 0.0, 90.0), 90.0, 0.0, even, 0.0 * even)
    calm = SynopticFlow(like, 2, amplitude=0.0, jet=(0.0, 0.0))
    flow = ClimatologicalFlow(monthly, calm)
    mean_flow_of_the_synoptic_part = calm.draw(4).u
    left = flow.draw(3).u - mean_flow_of_the_synoptic_part
    assert float(left[:, 0].std()) < 1e-9
    assert 4.0 * 10**0.05 - 1e-9 <= float(left[0, 0, 0, 0]) <= 4.0 * 11**0.2


def test_the_power_law_is_that_of_height():
    ground = torch.tensor([[[5.0]], [[0.0]]], dtype=torch.float64)
    winds = with_height(ground, degrees(1 / 7)[0], degrees(0.0)[0], degrees(0.0)[0])
    expected = [5.0 * (float(h) / 10.0) ** (1 / 7) for h in heights()]
    assert winds[0, :, 0, 0].tolist() == pytest.approx(expected)
    assert not bool(winds[1].any())


def test_wind_veers_to_the_right_with_height():
    ground = torch.tensor([[[5.0]], [[0.0]]], dtype=torch.float64)
    winds = with_height(ground, degrees(0.0)[0], degrees(math.pi / 2)[0], degrees(0.0)[0])
    assert winds[:, 0].flatten().tolist() == pytest.approx([5.0, 0.0])
    assert winds[:, -1].flatten().tolist() == pytest.approx([0.0, -5.0], abs=1e-12)


def test_a_westerly_is_added_in_proportion_to_height():
    calm = torch.zeros(2, 1, 1, dtype=torch.float64)
    winds = with_height(calm, degrees(0.1)[0], degrees(0.0)[0], degrees(20.0)[0])
    share = (heights() - heights()[0]) / (heights()[-1] - heights()[0])
    assert winds[0, :, 0, 0].tolist() == pytest.approx((20.0 * share).tolist())


def test_levels_lie_where_an_isothermal_atmosphere_has_them():
    assert heights()[-1] == pytest.approx(7500.0 * math.log(101_325 / 50_000))
    assert heights()[0] == 100.0


def test_the_hash_is_that_of_the_file(file):
    assert digest(file) == hashlib.sha256(Path(file).read_bytes()).hexdigest()


@pytest.mark.skipif(not DATA.is_file(), reason="the package ferret-datasets is not installed")
def test_the_packages_file_holds_eleven_years_of_winds_that_are_known():
    """Trade winds: easterly over the tropical Pacific; westerly over the Southern Ocean."""
    monthly = MonthlyWinds.read()
    assert monthly.u.shape == (132, 73, 144)
    mean = monthly.u.mean(0)
    pacific = int((210.0 - monthly.west) / monthly.spacing)
    assert float(mean[int((15.0 + 90) / 2.5), pacific]) < -3.0
    assert float(mean[int((-50.0 + 90) / 2.5), pacific]) > 3.0
