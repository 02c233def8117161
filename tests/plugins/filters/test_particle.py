"""The particle filter against Bayes' rule for a few states, and against the Kalman filter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters.particle import MEMORY, ParticleFilter, jittered, musso, systematic
from tradewind.plugins.filters.particle_options import Jitter, ParticleOptions


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def seen(y, variance=1.0) -> Observations:
    y = torch.as_tensor(y, dtype=torch.float64).reshape(-1)
    return Observations(y, DiagonalCovariance(torch.full_like(y, variance)))


def scalars(*values) -> Ensemble:
    """Members of one number each, which is seen as it is."""
    x = tensor(*values)[:, None]
    return Ensemble({"x": x}, x.clone())


def draw(*shape, seed) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# ---------------------------------------------------------------------- weights
def test_weights_are_those_of_bayes_for_three_states():
    # likelihoods of y = 1, R = 1 at 0, 1, 3: e^-1/2, 1, e^-2
    found = ParticleFilter(ParticleOptions(threshold=0.0)).analyse(scalars(0.0, 1.0, 3.0), seen(1.0))
    likelihood = np.exp([-0.5, 0.0, -2.0])
    np.testing.assert_allclose(found.details["weights"], likelihood / likelihood.sum(), rtol=1e-14)
    assert found.details["effective_size"] == pytest.approx(likelihood.sum() ** 2 / (likelihood**2).sum())


def test_two_analyses_weigh_as_one_of_both_observations():
    keeping = ParticleFilter(ParticleOptions(threshold=0.0))
    one = keeping.analyse(scalars(0.0, 1.0, 3.0), seen(1.0, 2.0))
    two = keeping.analyse(replace(one, number=1), seen(2.0, 3.0))
    x = tensor(0.0, 1.0, 3.0)[:, None].expand(3, 2)
    both = Observations(tensor(1.0, 2.0), DiagonalCovariance(tensor(2.0, 3.0)))
    at_once = keeping.analyse(Ensemble({"x": x}, x.clone()), both)
    np.testing.assert_allclose(two.details["weights"], at_once.details["weights"], rtol=1e-13)
    assert torch.equal(two.fields["x"], scalars(0.0, 1.0, 3.0).fields["x"])


def test_correlated_errors_count_by_their_inverse():
    # R = (2 1; 1 2), R⁻¹ = (2 -1; -1 2)/3; residuals (1 1): 2/3, (1 -1): 2
    x = tensor([-1.0, -1.0], [-1.0, 1.0])
    observations = Observations(tensor(0.0, 0.0), DenseCovariance(tensor([2.0, 1.0], [1.0, 2.0])))
    keeping = ParticleFilter(ParticleOptions(threshold=0.0))
    weights = keeping.analyse(Ensemble({"x": x}, x), observations).details["weights"]
    assert weights[0] / weights[1] == pytest.approx(np.exp(-(2 / 3 - 2) / 2), rel=1e-13)


def test_resampled_members_have_equal_weights_again():
    keeping = ParticleFilter(ParticleOptions(threshold=0.0)).analyse(scalars(0.0, 1.0, 3.0), seen(1.0))
    assert MEMORY in keeping.memory
    found = ParticleFilter().analyse(keeping, seen(1.0))
    assert MEMORY not in found.memory
    assert found.details["resampled"]


def test_an_even_ensemble_is_left_alone():
    found = ParticleFilter(ParticleOptions(threshold=0.5)).analyse(scalars(-1.0, 1.0), seen(0.0))
    assert not found.details["resampled"]
    assert found.details["effective_size"] == pytest.approx(2.0)


# ---------------------------------------------------------------------- resampling
def test_systematic_resampling_by_hand():
    # edges .1 .6 1 1; places .05 .3 .55 .8, and for u = .8 .2 .45 .7 .95
    weights = np.array([0.1, 0.5, 0.4, 0.0])
    assert systematic(weights, 0.2).tolist() == [0, 1, 1, 2]
    assert systematic(weights, 0.8).tolist() == [1, 1, 2, 2]


@settings(max_examples=50)
@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=30), st.floats(0, 0.999))
def test_a_member_stands_as_often_as_its_weight_says_but_for_less_than_one(raw, u):
    weights = np.array(raw) / np.sum(raw)
    counts = np.bincount(systematic(weights, u), minlength=len(weights))
    assert counts.sum() == len(weights)
    assert (np.abs(counts - len(weights) * weights) < 1 + 1e-9).all()


def test_a_weight_of_one_takes_every_place():
    assert systematic(np.array([0.0, 1.0, 0.0]), 0.999).tolist() == [1, 1, 1]


def test_what_is_drawn_depends_on_the_seed_and_the_number_of_the_analysis():
    ensemble = Ensemble({"x": draw(50, 1, seed=1)}, draw(50, 1, seed=1))
    first, again, other, later = (
        ParticleFilter(ParticleOptions(seed=seed)).analyse(replace(ensemble, number=number), seen(0.3))
        for seed, number in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert torch.equal(first.fields["x"], again.fields["x"])
    assert not torch.equal(first.fields["x"], other.fields["x"])
    assert not torch.equal(first.fields["x"], later.fields["x"])


def test_all_fields_of_a_member_stay_together():
    x = draw(30, 1, seed=2)
    ensemble = Ensemble({"a": x, "b": 2 * x.reshape(30, 1, 1).expand(30, 2, 3)}, x.clone())
    found = ParticleFilter().analyse(ensemble, seen(0.5))
    torch.testing.assert_close(found.fields["b"][:, 1, 2], 2 * found.fields["a"][:, 0])
    assert torch.equal(found.simulated, found.fields["a"])


def test_many_members_give_the_kalman_filter_s_posterior():
    # x ~ N(1, 4), y = 3, R = 1: gain 4/5, mean 2.6, variance 4/5; systematic noise of 20 000 members
    x = 1.0 + 2.0 * draw(20000, 1, seed=3)
    found = ParticleFilter().analyse(Ensemble({"x": x}, x.clone()), seen(3.0)).fields["x"]
    standard_error = (0.8 / 20000) ** 0.5 * 2  # weights make about a quarter of the members count
    assert float(found.mean()) == pytest.approx(2.6, abs=4 * standard_error)
    assert float(found.var()) == pytest.approx(0.8, rel=0.06)


# ---------------------------------------------------------------------- noise
def test_noise_has_the_weighted_covariance():
    weights, x = np.array([0.2, 0.5, 0.3]), np.array([1.0, 4.0, -2.0])
    mixed = jittered(weights, np.array([1, 1, 2]), np.zeros((3, 3)))
    np.testing.assert_allclose((x - x.mean()) @ mixed + x.mean(), [4.0, 4.0, -2.0])
    # unit noise in one direction at a time: squares add up to the weighted variance
    parts = [jittered(weights, np.array([0, 0, 0]), np.outer(np.eye(3)[i], np.ones(3))) for i in range(3)]
    moves = [((x - x.mean()) @ part + x.mean() - x[0])[0] for part in parts]
    mean = weights @ x
    assert sum(m**2 for m in moves) == pytest.approx(weights @ (x - mean) ** 2)


def test_the_width_of_musso_by_hand():
    # one dimension: (4/3)^(1/5) N^(-1/5)
    assert musso(32, 1) == pytest.approx((4 / 3) ** 0.2 / 2)


@pytest.mark.parametrize("jitter", [0.1, Jitter.MUSSO])
def test_noise_tells_copies_apart(jitter):
    x = draw(20, 3, seed=4)
    ensemble = Ensemble({"x": x}, x[:, :1].clone())
    plain = ParticleFilter().analyse(ensemble, seen(2.0, 0.1)).fields["x"]
    noisy = ParticleFilter(ParticleOptions(jitter=jitter)).analyse(ensemble, seen(2.0, 0.1))
    assert len(plain.unique(dim=0)) < 20
    assert len(noisy.fields["x"].unique(dim=0)) == 20
    torch.testing.assert_close(noisy.fields["x"][:, :1], noisy.simulated)


# ---------------------------------------------------------------------- faults
def test_a_collapse_is_named_and_survived():
    found = ParticleFilter().analyse(scalars(0.0, 50.0, 100.0), seen(49.0))
    assert found.fields["x"].flatten().tolist() == [50.0, 50.0, 50.0]
    assert found.details["notes"][0].startswith("collapsed: member 1 holds 1 of the weight")


def test_likelihoods_that_underflow_lose_no_weight():
    # exp(-1e6/2) is 0 in floating point
    found = ParticleFilter(ParticleOptions(threshold=0.0)).analyse(scalars(-1000.0, -1000.001), seen(0.0))
    ratio = found.details["weights"][0] / found.details["weights"][1]
    assert ratio == pytest.approx(np.exp((1000.001**2 - 1e6) / 2), rel=1e-6)


def test_weights_that_are_all_zero_change_nothing_and_are_named():
    ensemble = scalars(1e200, -1e200)
    found = ParticleFilter(ParticleOptions(threshold=0.5)).analyse(ensemble, seen(0.0))
    assert torch.equal(found.fields["x"], ensemble.fields["x"])
    assert "all weights are zero" in found.details["notes"][0]


def test_without_observations_nothing_happens():
    ensemble = scalars(1.0, 2.0)
    assert ParticleFilter().analyse(ensemble, Observations(tensor(), None)) is ensemble


def test_nan_is_refused():
    with pytest.raises(DataError, match=r"particle.*observation \[0\] is nan"):
        ParticleFilter().analyse(scalars(1.0, 2.0), seen(float("nan")))


def test_one_member_is_refused():
    with pytest.raises(SpecError, match="no spread"):
        ParticleFilter().analyse(scalars(1.0), seen(0.0))


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"jitter": -1.0}, {"jitter": "some"}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        ParticleOptions(**wrong)
