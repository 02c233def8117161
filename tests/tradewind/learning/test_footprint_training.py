"""``tradewind train`` with ``surrogate: footprint-emulator``: from a user's own file to a checkpoint."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from tradewind.errors import ConfigError, DataError
from tradewind.learning.emulators import run_training
from tradewind.learning.footprints import is_asked, read_config
from tradewind.surrogates.footprints.emulator import FootprintEmulator

CONFIG = """\
surrogate: footprint-emulator
footprints: mine.nc
plan: {firmness: [0.02], iterations: 2, every: 12}
seed: 5
output: mine.safetensors
"""


def own_file(path, count=48):
    """Write footprints that lie around an inlet, whose height follows the wind's."""
    draw = np.random.default_rng(0)
    speed = 5.0 + draw.random(count)
    each = {
        "release_lat": 1.0,
        "release_lon": 1.0,
        "inlet_height": 50.0,
        "wind_speed": speed,
        "wind_from_direction": 200.0 + 40.0 * draw.random(count),
        "pblh": 500.0 + 100.0 * draw.random(count),
        "temperature": 10.0,
        "pressure": 1000.0,
        "species": np.array(["inert", "radon-222"])[np.arange(count) // 24 % 2],
        "run": np.arange(count) // 24,
    }
    fp = draw.random((count, 4, 4)) / speed[:, None, None]
    time = np.datetime64("2020-01-01", "ns") + np.arange(count) * np.timedelta64(1, "h")
    middle = 0.7 + 0.2 * np.arange(4)
    xr.Dataset(
        {"fp": (("obs", "lat", "lon"), fp)}
        | {n: ("obs", np.broadcast_to(v, count)) for n, v in each.items()},
        coords={"time": ("obs", time), "lat": middle, "lon": middle},
    ).to_netcdf(path)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(CONFIG)
    own_file(tmp_path / "mine.nc")
    return path


def test_a_training_leaves_a_checkpoint_that_says_where_it_comes_from(config):
    seen = []

    def progress(name, length):
        seen.append((name, length))
        return lambda: None

    trained = run_training(config, progress=progress)
    header = FootprintEmulator.from_checkpoint(trained.path).header
    assert trained.path == config.with_name("mine.safetensors")
    assert header == trained.header
    assert header.provenance["config"] == CONFIG
    assert (header.provenance["file"], header.provenance["hours"]) == ("mine.nc", 48)
    assert header.training_period == ("2020-01-01T00:00:00", "2020-01-02T23:00:00")
    assert header.seed == 5
    # two blocks; no run has another of its tracer
    assert seen == [("fits of footprints", 3)]
    assert "r2_runs" not in header.scores


def test_one_tracer_alone_may_be_learnt(config):
    own_file(config.with_name("mine.nc"), 96)
    header = run_training(config, ["tracer=radon-222"]).header
    assert header.tracers == ("radon-222",)
    assert header.provenance["hours"] == 48
    assert "r2_runs" in header.scores


def test_a_tracer_that_is_not_there_is_named(config):
    with pytest.raises(DataError, match=r"no hour is of the tracer 'sf6' \(there are inert, radon-222\)"):
        run_training(config, ["tracer=sf6"])


def test_it_may_be_asked_for_by_an_override(config):
    assert is_asked(config)
    config.write_text(CONFIG.replace("surrogate: footprint-emulator\n", ""))
    assert not is_asked(config)
    assert is_asked(config, ["surrogate=footprint-emulator"])


def test_faults_are_told_with_their_lines(config):
    config.write_text(CONFIG.replace("seed: 5", "sead: 5"))
    with pytest.raises(ConfigError) as caught:
        read_config(config)
    assert any("sead" in fault and "4" in fault for fault in caught.value.faults)


def test_a_file_that_is_absent_is_named(config):
    with pytest.raises(DataError, match=r"other\.nc: cannot be read"):
        run_training(config, ["footprints=other.nc"])
