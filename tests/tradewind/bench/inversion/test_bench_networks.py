"""How the benchmark finds and trains its networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.bench.inversion import networks
from tradewind.learning.emulators import Training, read_training_config
from tradewind.surrogates.networks import NETWORKS

CONFIG = Path(__file__).parents[4] / "examples" / "train.yaml"


def test_every_kind_of_network_is_compared():
    assert set(networks.CHECKPOINTS) == set(networks.OTHERS) == set(NETWORKS)


@pytest.mark.parametrize("name", networks.CHECKPOINTS)
def test_each_is_trained_to_the_file_that_is_looked_for(name):
    config, _ = read_training_config(CONFIG, networks.OTHERS[name])
    assert config.network == name
    assert config.output.name == f"{networks.CHECKPOINTS[name]}.safetensors"


def test_all_are_trained_on_the_same_samples():
    keys = {Training(*read_training_config(CONFIG, more)).key() for more in networks.OTHERS.values()}
    assert len(keys) == 1


def test_the_comparison_draws_with_seeds_that_no_training_has():
    training = Training(*read_training_config(CONFIG))
    sets = training.config.samples
    used = {
        first + k
        for kind, first in training.seeds.items()
        for k in range(getattr(getattr(sets, kind), "situations", 100))
    }
    assert networks.SEED not in used
    assert not used & set(range(networks.SEED, networks.SEED + networks.SITUATIONS))


def test_what_is_there_is_not_trained_again(tmp_path, monkeypatch):
    trained = []

    def pretend(config, overrides, progress):
        trained.append(overrides)

    monkeypatch.setattr(networks, "run_training", pretend)
    for stem in ("permian", "operator"):
        (tmp_path / f"{stem}.safetensors").touch()
    found = networks.checkpoints(tmp_path / "train.yaml", lambda name, length: lambda: None)
    assert trained == [networks.OTHERS["published"]]
    assert found["published"] == tmp_path / "published.safetensors"
