"""How the benchmark measures layers that are told from columns."""

from __future__ import annotations

import pytest
import torch

from tradewind.bench.methane import layers


def test_an_error_is_a_share_of_the_signal():
    # 3 and 4 off, of 6 and 8
    assert layers.off(torch.tensor([3.0, 4.0]), torch.tensor([6.0, 8.0])) == pytest.approx(50.0)


def test_what_is_right_is_off_by_nothing():
    assert layers.off(torch.ones(3), torch.ones(3)) == 0.0


def test_the_kernel_has_a_value_for_each_layer_and_falls():
    assert len(layers.KERNEL) == 6
    assert sorted(layers.KERNEL, reverse=True) == list(layers.KERNEL)
