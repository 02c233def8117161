"""Inventories of the twins: what their prior knows, and what it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.bench.methane import inventories
from tradewind.bench.methane.inventories import KINDS, clustered, sources, uniform

HEAD = "source_id,lat,lon,emission_kg_h,sigma_kg_h\n"


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("kind", [uniform, clustered])
def test_the_same_seed_gives_the_same_emissions(kind):
    first, again, other = kind(generator()), kind(generator()), kind(generator(2))
    assert np.array_equal(first.truth, again.truth)
    assert not np.array_equal(first.truth, other.truth)


@pytest.mark.parametrize("kind", [uniform, clustered])
def test_what_the_prior_knows_does_not_depend_on_the_draw(kind):
    assert np.array_equal(kind(generator()).prior, kind(generator(2)).prior)


def test_a_uniform_truth_has_one_factor_in_every_degree():
    truth = uniform(generator()).truth
    tile = truth[:4, :4]
    assert np.all(tile == tile[0, 0])
    assert truth[0, 4] != truth[0, 3]


def test_hot_spots_are_not_in_the_prior():
    drawn = clustered(generator())
    ratio = drawn.truth / drawn.truth.sum() / (drawn.prior / drawn.prior.sum())
    assert ratio.max() > 5.0
    assert ratio.min() == pytest.approx(0.5)


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "permian_sources.csv"
    path.write_text(HEAD + "a,32.0,-103.0,1000,0\nb,32.0,-103.0,500,0\nc,31.0,-102.0,0,0\n", encoding="utf-8")
    monkeypatch.setattr(inventories, "_source_list", lambda: path)
    return path


def test_sources_in_one_cell_are_added(listed: Path):
    truth = sources(generator()).truth
    assert truth.max() == pytest.approx(1500.0)
    assert np.count_nonzero(truth) == 1


def test_the_total_of_listed_sources_is_theirs_in_tg_a_year(listed: Path):
    assert sources(generator()).total == pytest.approx(1500.0 * 8766.0 / 1e9)


def test_the_outline_counts_sources_and_not_what_they_emit(listed: Path):
    """A source that was seen, though it emits nothing on average, is in the outline as others are."""
    prior = sources(generator()).prior
    silent, empty = prior[2, 13], prior[10, 20]
    assert silent > 2.0 * empty
    assert empty > 0


def test_an_error_of_a_rate_never_makes_a_source_a_sink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "list.csv"
    path.write_text(HEAD + "a,32.0,-103.0,1,100\n" * 50, encoding="utf-8")
    monkeypatch.setattr(inventories, "_source_list", lambda: path)
    assert sources(generator()).truth.min() >= 0


def test_a_list_that_is_not_at_hand_is_no_inventory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inventories, "_source_list", lambda: None)
    assert sources(generator()) is None
    assert set(KINDS) == {"uniform", "clustered", "sources"}
