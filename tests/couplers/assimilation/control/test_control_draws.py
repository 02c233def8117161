"""Members drawn from a prior: the same ones however they are dealt out."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from tradewind.couplers.assimilation.control import (
    Bounded,
    Clustering,
    FieldControl,
    Per,
    PriorError,
    perturbations,
    recentred,
    sample,
    sigma_of,
)
from tradewind.couplers.assimilation.control.draws import normal
from tradewind.couplers.assimilation.covariance import dense
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

LINE = Grid.latlon([0.5], [0.5, 1.5, 2.5], lat_bounds=[0.0, 1.0])


@pytest.fixture(scope="module")
def control() -> FieldControl:
    field = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    return FieldControl("a.b", field, Layout(LINE), Clustering(Per.CELL), PriorError(0.5, 150.0))


def test_a_member_is_the_same_in_any_company(control):
    together = sample(control, range(10), seed=3)
    assert torch.equal(sample(control, [7], seed=3)[0], together[7])
    assert torch.equal(sample(control, [8, 2], seed=3), together[[8, 2]])
    assert torch.equal(sample(control, range(20), seed=3)[:10], together)


def test_other_seeds_and_members_are_other_numbers():
    draws = {float(normal(1, seed, member)) for seed in range(4) for member in range(4)}
    assert len(draws) == 16


def test_no_members_are_an_empty_ensemble(control):
    assert sample(control, [], seed=0).shape == (0, 3)


def test_numbers_are_standard_normal():
    assert kstest(normal(2000, 0, 5).numpy(), "norm").pvalue > 0.01


def test_members_have_the_mean_and_the_covariance_of_the_prior(control):
    drawn = sample(control, range(1000), seed=1)
    # one sigma of a mean is sigma / sqrt(N), of a covariance at most sqrt(2 / N) sigma²
    assert (drawn.mean(dim=0) - 1.0).abs().max() < 4 * 0.5 / 1000**0.5
    assert (drawn.T.cov() - dense(control.covariance)).abs().max() < 4 * (2 / 1000) ** 0.5 * 0.25


def test_recentred_members_have_a_mean_of_zero_and_keep_their_covariance(control):
    drawn = perturbations(control, range(5), seed=2)
    moved = recentred(drawn)
    assert moved.mean(dim=0).abs().max() <= 1e-15
    # the N - 1 in it already counts the mean that was taken away
    torch.testing.assert_close(moved.T.cov(), drawn.T.cov())
    assert not recentred(drawn[:1]).any()


def test_the_spread_of_the_fields_is_that_of_their_members():
    field = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    bounded = FieldControl(
        "a.b", field, Layout(LINE), Clustering(Per.CELL), PriorError(0.1), Bounded(0.0, 1.0)
    )
    members = sample(bounded, range(500), seed=0)
    spread = sigma_of(bounded, members)["a.b"]
    torch.testing.assert_close(spread, bounded.to_fields(members)["a.b"].std(dim=0))
    # nearly linear for a small error: within the sampling error of 500 members
    linear = bounded.sigma(bounded.prior, bounded.covariance.diagonal())["a.b"]
    torch.testing.assert_close(spread, linear, rtol=0.15, atol=0.0)
