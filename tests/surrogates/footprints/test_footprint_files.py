"""Checkpoints of footprint emulators: they say all, and nothing wrong is used."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.torch import save_file

from tradewind.couplers.coupling.units import factor
from tradewind.errors import CheckpointError, DataError, DomainError
from tradewind.surrogates.footprints.emulator import FootprintEmulator
from tradewind.surrogates.footprints.files import load_footprints, read_footprint_header, save_footprints
from tradewind.surrogates.footprints.fitting import FitPlan
from tradewind.surrogates.footprints.plume import KNOBS
from tradewind.surrogates.footprints.situations import Situations
from tradewind.surrogates.footprints.training import train_footprints
from tradewind.surrogates.footprints.writing import write_footprints


@pytest.fixture(scope="module")
def footprints(make_footprints):
    return make_footprints(48)


@pytest.fixture(scope="module")
def emulator(footprints):
    return train_footprints(footprints, FitPlan(firmness=(0.02,), iterations=3, every=6))


@pytest.fixture
def path(emulator, tmp_path):
    file = tmp_path / "footprints.safetensors"
    save_footprints(file, emulator.knobs(), emulator.header)
    return file


def situations(footprints):
    return Situations.of(footprints.hours, footprints.window)


def test_what_was_written_is_read(emulator, path, footprints):
    again = FootprintEmulator.from_checkpoint(path)
    x = situations(footprints)
    assert torch.equal(again(x), emulator(x))
    assert again.header == emulator.header == read_footprint_header(path)


def test_a_file_is_small(path):
    assert path.stat().st_size < 10_000


def test_a_weight_that_is_no_number_is_not_written(emulator, tmp_path):
    with pytest.raises(CheckpointError, match="not finite"):
        save_footprints(tmp_path / "x.safetensors", emulator.knobs() * torch.nan, emulator.header)


def test_a_header_of_other_parameters_is_not_written(emulator, tmp_path):
    with pytest.raises(CheckpointError, match="its header says"):
        save_footprints(tmp_path / "x.safetensors", emulator.knobs()[:, 1:], emulator.header)


def test_parameters_of_another_version_are_refused(path):
    with pytest.raises(CheckpointError, match="other parameters than this version's"):
        load_footprints(path, [*KNOBS, "another"])


def test_another_surrogate_s_file_is_refused(tmp_path):
    file = tmp_path / "x.safetensors"
    save_file({"a": torch.ones(1)}, file, metadata={"tradewind": json.dumps({"format": 1})})
    with pytest.raises(CheckpointError, match="has format 1, footprint emulators have 3"):
        read_footprint_header(file)


def test_a_faulty_header_is_named(emulator, tmp_path):
    file = tmp_path / "x.safetensors"
    header = emulator.header.model_dump(mode="json") | {"members": 0}
    save_file({"knobs": emulator.knobs()}, file, metadata={"tradewind": json.dumps(header)})
    with pytest.raises(CheckpointError, match="faulty header: members"):
        read_footprint_header(file)


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match="truncated"):
        FootprintEmulator.from_checkpoint(path)


# ------------------------------------------------------------------ as a surrogate
def test_rows_of_k_are_the_footprints(emulator, footprints):
    rows = emulator.rows(footprints.hours, footprints.window)
    assert np.array_equal(rows, emulator(situations(footprints)).flatten(1).numpy())


def test_a_row_does_not_depend_on_its_neighbours(emulator, footprints):
    hours, window = footprints.hours, footprints.window
    alone = emulator.rows(hours[7:8], window, known=hours)
    np.testing.assert_allclose(alone, emulator.rows(hours, window)[7:8], rtol=1e-12)


def test_weather_far_from_what_was_seen_is_refused(emulator, footprints):
    usual = footprints.hours[:2]
    storm = replace(usual, wind_speed=np.array([usual.wind_speed[0], 90.0]))
    assert emulator.valid(Situations.of(storm, footprints.window)).tolist() == [True, False]
    with pytest.raises(DomainError, match="1 of 2 hours lie outside its domain, the first is 2"):
        emulator.rows(storm, footprints.window)


def test_an_hour_without_weather_is_refused(emulator, footprints, make_hours):
    hours = make_hours(2, pressure=np.array([np.nan, 1000.0]), wind_speed=6.0, wind_from=200.0)
    with pytest.raises(DomainError, match="the first is 1"):
        emulator.rows(hours, footprints.window)


def test_the_error_grows_with_the_footprint(emulator, footprints):
    x = situations(footprints)
    variance, values = emulator.error(x), emulator(x)
    model = emulator.header.error
    assert variance.shape == values.shape
    torch.testing.assert_close(variance, model.floor**2 + (model.relative * values) ** 2)


def test_its_fields_have_units(emulator):
    (footprint,) = emulator.spec.exports
    # a mole in every million moles is a thousand in every billion
    assert factor(f"{footprint.units} umol m-2 s-1", "1e-9") == pytest.approx(1e3)
    assert emulator.spec.imports


# ------------------------------------------------------------------ footprints as a file
@pytest.fixture
def weather(footprints, tmp_path):
    """Return a file of weather without footprints, in which one hour's mixing height is missing."""
    hours, window = footprints.hours[:4], footprints.window
    depth = hours.mixing_height.copy()
    depth[1] = np.nan
    names = {
        "release_lat": hours.latitude, "release_lon": hours.longitude, "inlet_height": hours.height,
        "wind_speed": hours.wind_speed, "wind_from_direction": hours.wind_from, "pblh": depth,
        "temperature": hours.temperature, "pressure": hours.pressure, "species": hours.tracer,
    }  # fmt: skip
    middle = [(edges[1:] + edges[:-1]) / 2 for edges in (window.south_north, window.west_east)]
    time = np.datetime64("1970-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    ds = xr.Dataset(
        {name: ("obs", values) for name, values in names.items()},
        coords={"time": ("obs", time), "lat": middle[0], "lon": middle[1]},
    )
    file = tmp_path / "weather.nc"
    ds.to_netcdf(file)
    return file


def test_footprints_of_a_file_of_weather_are_written(emulator, footprints, weather, tmp_path):
    output = tmp_path / "told.nc"
    assert write_footprints(emulator, weather, output) == 1
    with xr.open_dataset(output) as told:
        assert told.footprint.dims == ("time", "lat", "lon")
        assert told.footprint.attrs["units"] == "m2 s mol-1"
        assert np.isnan(told.footprint.values[1]).all()
        first = emulator.rows(footprints.hours[:1], footprints.window).reshape(7, 7)
        np.testing.assert_allclose(told.footprint.values[0], first)
        assert (told.footprint_error.values[[0, 2, 3]] > 0).all()
        assert told.time.values[0] == np.datetime64("1970-01-01")


def test_a_file_without_weather_is_refused(emulator, tmp_path):
    file = tmp_path / "empty.nc"
    xr.Dataset({"x": 1.0}).to_netcdf(file)
    with pytest.raises(DataError, match="has no variable 'time'"):
        write_footprints(emulator, file, tmp_path / "told.nc")
