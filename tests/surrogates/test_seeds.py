"""Seeds that do not leak."""

from __future__ import annotations

import pytest
import torch

from tradewind.surrogates.networks import CompactNetwork
from tradewind.surrogates.seeds import seeded


def first_weight(seed):
    with seeded(seed):
        return CompactNetwork().unet.stem.weight.detach()


def test_the_same_seed_builds_the_same_network():
    assert torch.equal(first_weight(3), first_weight(3))


def test_another_seed_builds_another_network():
    assert not torch.equal(first_weight(3), first_weight(4))


def test_the_global_stream_goes_on_as_if_nothing_had_happened():
    torch.manual_seed(11)
    expected = torch.rand(2)
    torch.manual_seed(11)
    first_weight(3)
    assert torch.equal(torch.rand(2), expected)


def test_the_stream_is_restored_also_after_an_error():
    torch.manual_seed(11)
    expected = torch.rand(2)
    torch.manual_seed(11)
    with pytest.raises(KeyError), seeded(5):
        raise KeyError
    assert torch.equal(torch.rand(2), expected)
