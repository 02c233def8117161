"""Means, spreads, ranks and the noise on them."""

from __future__ import annotations

import numpy as np
import torch

from tradewind.assimilation.recording import Noise, drawn, mean_and_spread, ranks
from tradewind.couplers.assimilation import Observations


def shared(first: int, count: int) -> Observations:
    numbers = torch.arange(first, first + count)
    return Observations(torch.zeros(count, dtype=torch.float64), None, {}, numbers)


def test_mean_and_spread_by_hand():
    # one window, three members, one cell: mean 2, squares 1 + 0 + 1, over N - 1
    mean, spread = mean_and_spread(np.array([[[1.0], [2.0], [3.0]]]))
    assert mean.tolist() == [[2.0]]
    assert spread.tolist() == [[1.0]]


def test_a_single_member_has_no_spread():
    assert mean_and_spread(np.ones((1, 1, 2)))[1].tolist() == [[0.0, 0.0]]


def test_the_rank_is_how_many_members_lie_below():
    shown, y = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), np.array([1.5, -1.0])
    assert ranks(shown, y, np.zeros_like(shown)).tolist() == [2, 0]
    # noise that lifts the second member above the observation
    assert ranks(shown, y, np.array([[0.0, 0], [1, 0], [0, 0]])).tolist() == [1, 0]


def test_ranks_of_draws_of_one_distribution_are_uniform():
    draws = np.random.default_rng(0)
    members, m = 4, 20000
    truth, shown = draws.standard_normal(m), draws.standard_normal((members, m))
    y = truth + 0.5 * draws.standard_normal(m)
    found = ranks(shown, y, 0.5 * draws.standard_normal((members, m)))
    counts = np.bincount(found, minlength=members + 1) / m
    assert np.abs(counts - 0.2).max() < 0.01


def test_noise_does_not_depend_on_who_holds_a_block():
    whole = drawn(shared(0, 3000), (2, 3000), Noise(1), 7)
    part = drawn(shared(1024, 1976), (2, 1976), Noise(1), 7)
    assert np.array_equal(whole[:, 1024:], part)
    assert drawn(shared(0, 0), (2, 0), Noise(1), 7).shape == (2, 0)


def test_noise_of_windows_in_turn_is_seeded():
    alone = Observations(torch.zeros(3, dtype=torch.float64), None)
    first, second, other = Noise(1), Noise(1), Noise(2)
    a, b = ([drawn(alone, (2, 3), noise, n) for n in range(130)] for noise in (first, second))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(a[0], a[1])
    assert not np.array_equal(a[0], drawn(alone, (2, 3), other, 0))
