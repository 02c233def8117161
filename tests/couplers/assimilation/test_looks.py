"""Looks at one field: shapes, derivatives, and the same bits for one of many as for one alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from tradewind.couplers.assimilation import FunctionLook, LinearLook
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, MatrixOperator, Replicated, dot_test
from tradewind.couplers.ranks.layout import Layout

CELLS, LEVELS, M = 101, 3, 17
LAYOUT = Layout(Grid.latlon([0.0], np.arange(CELLS) * 3.0, lat_bounds=[-5.0, 5.0]))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights():
    dense = np.where(np.random.default_rng(0).random((M, LEVELS * CELLS)) < 0.2, draw(M, LEVELS * CELLS), 0.0)
    return sparse.csr_array(dense)


def sampling():
    return LinearLook(SamplingOperator(weights(), LAYOUT, (LEVELS,)))


def dense():
    return LinearLook(MatrixOperator(draw(M, LEVELS * CELLS), Distributed(LAYOUT, (LEVELS,))))


def of_no_place():
    return LinearLook(MatrixOperator(draw(M, 4), Replicated(4)))


def function():
    matrix = draw(M, CELLS)
    return FunctionLook(lambda field: (matrix @ field[1]).square(), Distributed(LAYOUT, (LEVELS,)), M)


LOOKS = {
    sampling: (LEVELS, CELLS),
    dense: (LEVELS, CELLS),
    function: (LEVELS, CELLS),
    of_no_place: (4,),
}


@pytest.mark.parametrize("make", LOOKS)
@pytest.mark.parametrize("batch", [(1,), (7,), (2, 3)])
def test_each_of_a_batch_has_the_bits_that_it_has_alone(make, batch):
    look, shape = make(), LOOKS[make]
    fields = draw(*batch, *shape)
    together = look(fields)
    alone = torch.stack([look(field) for field in fields.reshape(-1, *shape)])
    assert together.shape == (*batch, M)
    assert torch.equal(together.reshape(-1, M), alone)


@pytest.mark.parametrize("make", LOOKS)
def test_nothing_to_look_at_has_its_shape(make):
    assert make()(torch.zeros(0, *LOOKS[make], dtype=torch.float64)).shape == (0, M)


@pytest.mark.parametrize("make", LOOKS)
def test_its_derivative_is_that_at_the_field(make):
    look, shape, h = make(), LOOKS[make], 1e-6
    field, along = draw(*shape), draw(*shape, seed=1)
    operator = look.linearize(field)
    difference = (look(field + h * along) - look(field - h * along)) / (2 * h)
    torch.testing.assert_close(operator.forward(along.reshape(-1)), difference, rtol=1e-7, atol=1e-6)
    assert dot_test(operator) <= 1e-13
