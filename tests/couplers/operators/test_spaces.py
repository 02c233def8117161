"""Inner products: the same bits in serial, where they are taken at once, and block by block, as ranks do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed
from tradewind.couplers.operators.spaces import BLOCK, Integral
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import tree_sum, tree_sum_array


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


def points(n):
    return Grid.latlon([0.0], np.arange(n) * 360.0 / n, lat_bounds=[-5.0, 5.0])


@pytest.mark.parametrize("leading", [(), (1,), (3,), (2, 5)])
@pytest.mark.parametrize("cells", [3, 5, 8, 255, 256, 257, 741, 4096])
def test_a_serial_product_has_the_bits_of_one_made_of_blocks(cells, leading):
    layout = Layout(points(cells))
    a, b = draw(*leading, cells), draw(cells)
    per_cell = tree_sum((a * b).reshape(-1, cells))
    in_blocks = float(tree_sum(layout.block_sums(per_cell, BLOCK)))
    assert Distributed(layout).dot(a, b) == in_blocks
    assert Distributed(layout).dot(b, a.clone()) == in_blocks


@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (8, 3), (5, 0), (300,)])
def test_an_arrays_sum_has_the_bits_of_a_tensors(shape):
    x = draw(*shape)
    assert tree_sum_array(x.numpy()).tolist() == tree_sum(x).tolist()


def test_zeros_have_one_sign_whatever_the_number_of_cells():
    signs = [
        np.signbit(Distributed(Layout(points(n))).dot(-torch.zeros(n).double(), torch.ones(n).double()))
        for n in (3, 4, 256, 300)
    ]
    assert not any(signs)


def test_what_is_not_a_number_stays_one():
    a = torch.tensor([1.0, float("nan"), 2.0], dtype=torch.float64)
    assert np.isnan(Distributed(Layout(points(3))).dot(a, torch.ones(3).double()))


def test_single_precision_is_multiplied_in_double():
    a = torch.tensor([0.1, 0.2, 0.0], dtype=torch.float32)
    found = Distributed(Layout(points(3))).dot(a, torch.ones(3).double())
    assert found == float(a[0]) + float(a[1])


# ---------------------------------------------------------------------- fixed weights
@pytest.mark.parametrize("leading", [(), (1,), (3,), (1, 2)])
@pytest.mark.parametrize("cells", [3, 5, 8, 64, 65, 300])
def test_an_integral_has_the_bits_of_the_product_with_its_weights(cells, leading):
    space, weights, x = Distributed(Layout(points(cells))), draw(cells), draw(*leading, cells)
    assert Integral(space, weights)(x) == space.dot(x, weights)


@pytest.mark.parametrize("cells", [8, 300])
def test_cells_without_weight_may_hold_anything(cells):
    weights = torch.ones(cells, dtype=torch.float64)
    weights[2] = 0.0
    x = torch.ones(1, cells, dtype=torch.float64)
    x[0, 2] = float("nan")
    assert Integral(Distributed(Layout(points(cells))), weights)(x) == cells - 1.0


@pytest.mark.parametrize("cells", [8, 300])
def test_an_integral_sees_what_is_not_a_number_and_forgets_gradients(cells):
    weights = torch.ones(cells, dtype=torch.float64)
    x = torch.full((1, cells), 0.5, dtype=torch.float64, requires_grad=True)
    integral = Integral(Distributed(Layout(points(cells))), weights)
    assert integral(x) == cells / 2
    assert np.isnan(integral(x.detach().index_fill(1, torch.tensor(1), float("nan"))))
