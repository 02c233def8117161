"""Blocks of one size: the same bits, however the samples are dealt out."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import SpecError
from tradewind.surrogates.evaluation import evaluate_in_blocks
from tradewind.surrogates.networks import PublishedNetwork


class Counting(PublishedNetwork):
    """Records the sizes of the batches that it is given."""

    def forward(self, x, latitude):
        self.__dict__.setdefault("sizes", []).append(x.shape[0])
        return x[:, 0]


@pytest.fixture(params=["compact", "published"])
def network(request, small):
    if request.param == "compact":
        network = small()
        with torch.no_grad():
            network.correction.weight.add_(0.1)
        return network
    torch.manual_seed(0)
    return PublishedNetwork()


def test_every_batch_has_the_size_of_a_block(smooth):
    network, windows = Counting(), smooth(5, 0)
    answer = evaluate_in_blocks(network, windows.x, windows.latitude, block=2)
    assert network.sizes == [2, 2, 2]
    assert torch.equal(answer, windows.x[:, 0])


def test_no_samples_give_no_maps_and_no_call(smooth):
    network, windows = Counting(), smooth(1, 0)
    answer = evaluate_in_blocks(network, windows.x[:0], windows.latitude[:0])
    assert answer.shape == (0, 41, 41)
    assert "sizes" not in network.__dict__


@pytest.mark.parametrize("cut", [1, 3, 8, 10])
def test_samples_dealt_to_two_ranks_give_the_same_bits(network, smooth, cut):
    windows = smooth(11, 1)
    whole = evaluate_in_blocks(network, windows.x, windows.latitude, block=8)
    parts = [
        evaluate_in_blocks(network, x, latitude, block=8)
        for x, latitude in (
            (windows.x[:cut], windows.latitude[:cut]),
            (windows.x[cut:], windows.latitude[cut:]),
        )
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_the_order_of_the_samples_does_not_change_their_bits(network, smooth):
    windows, order = smooth(6, 2), torch.tensor([4, 1, 5, 0, 3, 2])
    straight = evaluate_in_blocks(network, windows.x, windows.latitude, block=4)
    shuffled = evaluate_in_blocks(network, windows.x[order], windows.latitude[order], block=4)
    assert torch.equal(shuffled, straight[order])


def test_no_gradient_is_recorded(network, smooth):
    windows = smooth(2, 0)
    assert not evaluate_in_blocks(network, windows.x, windows.latitude, block=2).requires_grad


def test_a_wrong_shape_is_refused_also_when_empty(network):
    with pytest.raises(SpecError):
        evaluate_in_blocks(network, torch.zeros(0, 12, 41, 41), torch.zeros(0))
