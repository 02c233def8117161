"""``tradewind train``: from a config to a checkpoint that says all about itself."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tradewind.errors import ConfigError
from tradewind.surrogates.checkpoint import load_checkpoint, read_header
from tradewind.training import Training, read_training_config, run_training

WEATHER = Path(__file__).parents[2] / "examples" / "january_1996.nc"
CONFIG = f"""\
network: compact
network_options:
  widths: [4, 4, 8]
  plume: {{particles: 4, ages: 2, blends: [[1.0, 0.0, 0.0]]}}
transport:
  weather: {WEATHER}
  region: {{west: -113, east: -91.5, south: 22, north: 43.5}}
window: 12h
samples:
  train: {{start: 1996-01-05, stop: 1996-01-06, per_time: 2}}
  validation: {{start: 1996-01-13, stop: 1996-01-13T12:00, per_time: 2}}
  test: {{start: 1996-01-16, stop: 1996-01-16T12:00, per_time: 2}}
  simulated: {{situations: 1, per_situation: 2}}
  keep: samples.npz
plan: {{epochs: 2, batch_size: 4, patience: 2}}
seed: 3
output: net.safetensors
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_a_training_leaves_a_checkpoint_that_says_all_about_itself(config):
    seen = []

    def progress(name, length):
        seen.append(name)
        return lambda: None

    trained = run_training(config, progress=progress)
    network, header = load_checkpoint(trained.path)
    assert trained.path == config.with_name("net.safetensors")
    assert header == trained.header == read_header(trained.path)
    assert header.network == "compact"
    assert header.parameters == sum(p.numel() for p in network.parameters() if p.requires_grad)
    assert header.training_period == ("1996-01-05T00:00:00", "1996-01-06T00:00:00")
    assert header.seed == 3
    assert header.provenance["config"] == CONFIG
    assert header.provenance["reference"]["window_seconds"] == 43200
    # three ends fit into a day (12, 18 and 24 h), two cells each, and two of simulated weather
    counts = {name: part["count"] for name, part in header.provenance["samples"].items()}
    assert counts == {"train": 8, "validation": 2, "test": 2}
    assert header.scores
    assert header.domain is not None
    assert header.error is not None
    assert seen == ["samples of real weather", "samples of simulated weather"]

    # the kept samples serve a second training, which gives the same bits
    again = run_training(config, ["output=again.safetensors"], progress)
    assert len(seen) == 2
    other, _ = load_checkpoint(again.path)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_the_key_of_the_samples_depends_on_what_they_depend_on(config):
    def key(*overrides):
        return Training(*read_training_config(config, overrides)).key()

    assert key() == key("plan.epochs=9", "network=published", "output=other.safetensors")
    others = [key("seed=4"), key("samples.train.per_time=3"), key("transport.substep=500"), key("window=6h")]
    assert len({key(), *others}) == 5


def test_relative_paths_are_relative_to_the_config(config):
    read, text = read_training_config(config)
    assert read.output == config.with_name("net.safetensors")
    assert read.samples.keep == config.with_name("samples.npz")
    assert text == CONFIG


def test_all_faults_are_said_at_once_with_their_lines(config):
    config.write_text(CONFIG.replace("epochs: 2", "epochs: 0").replace("seed: 3", "sed: 3"))
    with pytest.raises(ConfigError) as caught:
        read_training_config(config, ["network=compakt"])
    text = str(caught.value)
    assert len(caught.value.faults) == 3
    assert "train.yaml:15: plan.epochs" in text
    assert "train.yaml:16: sed: unknown key, did you mean 'seed'?" in text
    assert "'compact'" in text


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        read_training_config(tmp_path / "missing.yaml")


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_a_period_without_a_window_is_refused(config):
    with pytest.raises(ConfigError, match="no window of 12:00:00 fits between"):
        run_training(config, ["samples.train.stop=1996-01-05T06:00"])


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_a_region_smaller_than_a_window_is_refused(config):
    with pytest.raises(ConfigError, match="holds no window of 41"):
        run_training(config, ["transport.region.east=-100"])
