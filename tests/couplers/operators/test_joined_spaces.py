"""Joined spaces: several fields, one after the other, as one vector."""

from __future__ import annotations

import numpy as np
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, Joined, Replicated, joined
from tradewind.couplers.ranks.layout import Layout


def points(n):
    return Layout(Grid.latlon([0.0], np.arange(n) * 360.0 / n, lat_bounds=[-5.0, 5.0]))


def both():
    return Joined([Distributed(points(3), (2,)), Replicated(4)])


def test_sizes_are_added_and_vectors_are_cut_in_order():
    space = both()
    first, second = space.split(torch.arange(10.0).double())
    assert space.size == 10
    assert (first.tolist(), second.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9])
    assert [part.shape for part in space.split(torch.zeros(5, 2, 10))] == [(5, 2, 6), (5, 2, 4)]


def test_the_inner_product_is_the_sum_of_the_parts():
    a, b = torch.arange(10.0).double(), torch.ones(10).double()
    assert both().dot(a, b) == sum(range(6)) + sum(range(6, 10))
    assert both().dot(torch.stack([a, a]), torch.stack([b, b])) == 90.0
    assert both().norm(b) == np.sqrt(10.0)


def test_its_random_vectors_are_those_of_the_parts_with_other_seeds():
    space = Joined([Replicated(3), Replicated(3)])
    drawn = space.random(5, (2,))
    assert drawn.shape == (2, 6)
    assert torch.equal(drawn[:, :3], Replicated(3).random(5, (2,)))
    assert not torch.equal(drawn[:, :3], drawn[:, 3:])
    assert not torch.equal(drawn[:, 3:], space.random(6, (2,))[:, :3])


def test_it_equals_what_joins_the_same_spaces_in_the_same_order():
    assert both() == both()
    assert hash(both()) == hash(both())
    assert both() != Joined([Replicated(4), Distributed(points(3), (2,))])
    assert both() != Replicated(10)


def test_one_space_alone_stays_itself():
    assert joined([Replicated(4)]) == Replicated(4)
    assert joined([Replicated(4), Replicated(1)]) == Joined([Replicated(4), Replicated(1)])
