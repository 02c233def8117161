"""Draws of members and perturbations."""

from __future__ import annotations

import pytest
import torch

from tradewind.couplers.assimilation.control import sample
from tradewind.couplers.assimilation.covariance import DenseCovariance
from tradewind.plugins.solvers.smoothers.drawing import exact, normals, prior_members, shaped
from tradewind.plugins.solvers.smoothers.options import Draws
from tradewind.testing import VectorControl

CONTROL = VectorControl(
    torch.tensor([1.0, -2.0]).double(), DenseCovariance(torch.tensor([[2.0, 0.5], [0.5, 1.0]]).double())
)


def test_a_member_s_draw_does_not_depend_on_how_many_there_are():
    assert torch.equal(normals(3, 5, 4)[:2], normals(3, 2, 4))
    assert not torch.equal(normals(3, 2, 4), normals(3, 2, 4, (1,)))


def test_exact_draws_have_exactly_mean_0_and_covariance_1():
    found = exact(normals(0, 8, 3))
    torch.testing.assert_close(found.mean(0), torch.zeros(3).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close(found.T.cov(), torch.eye(3).double(), rtol=0, atol=1e-14)


def test_exact_draws_know_nothing_of_what_they_are_drawn_against():
    against = exact(normals(0, 9, 2))
    found = shaped(normals(1, 9, 3), Draws.EXACT, against)
    torch.testing.assert_close(found.T @ against, torch.zeros(3, 2).double(), rtol=0, atol=1e-13)


def test_exact_members_have_the_prior_s_mean_and_covariance():
    found = prior_members(CONTROL, 5, Draws.EXACT, 0)
    torch.testing.assert_close(found.mean(0), CONTROL.prior, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(found.T.cov(), CONTROL.covariance.matrix, rtol=1e-13, atol=1e-13)


def test_centred_members_have_the_prior_s_mean():
    found = prior_members(CONTROL, 4, Draws.CENTRED, 0)
    torch.testing.assert_close(found.mean(0), CONTROL.prior, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("draws", [Draws.RANDOM, Draws.CENTRED])
def test_drawn_members_have_the_prior_s_covariance_but_for_sampling(draws):
    found = prior_members(CONTROL, 900, draws, 0).T.cov()
    torch.testing.assert_close(found, CONTROL.covariance.matrix, rtol=0, atol=5 * 2 / 900**0.5)


def test_random_members_are_those_of_the_control():
    assert torch.equal(prior_members(CONTROL, 3, Draws.RANDOM, 7), sample(CONTROL, range(3), 7))
