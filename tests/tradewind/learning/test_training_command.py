"""``tradewind train``: from a config to a checkpoint that says all about itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

from tradewind.errors import ConfigError
from tradewind.learning.emulators import Training, read_training_config, run_training
from tradewind.surrogates.checkpoint import load_checkpoint, read_header

WEATHER = Path(__file__).parents[3] / "examples" / "january_1996.nc"
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


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_more_weather_makes_more_samples_and_is_told_in_the_checkpoint(config, tmp_path):
    seen = []

    def progress(name, length):
        seen.append(name)
        return lambda: None

    more = ["samples.synoptic.situations=2", "samples.synoptic.per_situation=3", "network=operator"]
    header = run_training(
        config, [*more, "network_options={puffs: {paths: 2, particles: 4}}"], progress
    ).header
    assert header.network == "operator"
    assert header.options["puffs"]["hours"] == 12.0
    assert header.provenance["samples"]["train"]["count"] == 8 + 2 * 3
    assert header.provenance["weather"]["situations"] == {"simulated": 1, "synoptic": 2, "climatology": 0}
    assert "samples of synoptic flow" in seen
    assert not list(tmp_path.glob("*unfinished*"))


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_climatological_winds_that_are_absent_are_left_out_visibly(config):
    seen = []

    def progress(name, length):
        seen.append(name)
        return lambda: None

    asked = ["samples.climatology.situations=2", "samples.climatology.file=absent.cdf"]
    header = run_training(config, asked, progress).header
    told = header.provenance["weather"]["climatology"]
    assert told == {"file": "absent.cdf", "skipped": "not found; the package ferret-datasets brings it"}
    assert header.provenance["samples"]["train"]["count"] == 8
    assert "no climatological winds: the file is not there" in seen


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_the_key_of_the_samples_depends_on_the_climatology_itself_not_on_where_it_is(config, tmp_path):
    def key(name):
        asked = ["samples.climatology.situations=2", f"samples.climatology.file={name}"]
        return Training(*read_training_config(config, asked)).key()

    for name, content in (("a.cdf", "one"), ("b.cdf", "two")):
        (tmp_path / name).write_text(content)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.cdf").write_text("one")
    assert len({key("a.cdf"), key("b.cdf"), key("absent.cdf")}) == 3
    assert key("elsewhere/a.cdf") == key("a.cdf")


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_a_training_that_is_cut_short_leaves_its_best_epoch(config, monkeypatch):
    from tradewind.surrogates import training

    learn, steps = training._Trainer._learn, []

    def cut(self, batch, where):
        steps.append(where)
        if where.startswith("epoch 1"):
            raise KeyboardInterrupt
        return learn(self, batch, where)

    monkeypatch.setattr(training._Trainer, "_learn", cut)
    with pytest.raises(KeyboardInterrupt):
        run_training(config)
    assert not config.with_name("net.safetensors").exists()
    _, header = load_checkpoint(config.with_name("net.unfinished.safetensors"))
    assert header.provenance["unfinished_after_epoch"] == 0
    assert header.scores == {}  # the test period is looked at once, at the end
    assert header.error is not None


@pytest.mark.skipif(not WEATHER.is_file(), reason="the example's winds are not there")
def test_places_are_those_of_the_validation_samples(config):
    """Latitudes of the windows are known from the samples, and must be those of the places' rows."""
    training = Training(*read_training_config(config, ["samples.validation.per_time=3"]))
    samples = training.make(lambda name, length: lambda: None)["validation"]
    places = training.places()
    latitude = training.maker().transport.domain.lat
    assert latitude[places.row].tolist() == pytest.approx(samples.windows.latitude.tolist())
    assert places.situation.tolist() == [0, 0, 0]


def test_seeds_of_parts_lie_far_apart(config):
    seeds = sorted(Training(*read_training_config(config)).seeds.values())
    assert min(b - a for a, b in pairwise(seeds)) >= 10_000
