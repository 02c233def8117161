"""Who owns which cells, in serial; on ranks this is tested in test_couplers_on_ranks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import GridError, SpecError


def test_a_serial_layout_owns_every_cell(coarse):
    layout = Layout(coarse)
    assert layout.owned.tolist() == list(range(72))
    assert (layout.n_local, layout.n_global, layout.is_serial) == (72, 72, True)


def test_blocks_in_serial_own_every_cell(coarse):
    assert Layout.blocks(coarse, block=5) == Layout(coarse)


def test_layouts_compare_by_grid_and_owners(coarse, finer):
    assert Layout(coarse) == Layout(coarse, None, np.arange(72))
    assert hash(Layout(coarse)) == hash(Layout(coarse))
    assert Layout(coarse) != Layout(finer)
    assert Layout(coarse) != "a layout"


def test_gather_and_scatter_in_serial_change_nothing(coarse):
    layout = Layout(coarse)
    x = Distributed(layout).random(1, (2, 3))
    assert torch.equal(layout.gather(x), x)
    assert torch.equal(layout.scatter(x), x)


def test_gather_of_a_batch_keeps_its_shape(coarse):
    assert Layout(coarse).gather(torch.zeros(2, 3, 72, dtype=torch.float64)).shape == (2, 3, 72)


@pytest.mark.parametrize(
    ("owned", "fault"),
    [
        ([1, 0], "not sorted"),
        ([0, 0, 1], "not sorted"),
        ([0, 72], r"exceed 0\.\.71"),
        ([-1, 0], r"exceed 0\.\.71"),
        ([0, 1], "70 cells belong to no rank, the first is 2"),
        ([0.0, 1.0], "expected a list of cell indices"),
        ([[0, 1]], "expected a list of cell indices"),
        ([], "72 cells belong to no rank"),
    ],
    ids=["unsorted", "twice", "beyond", "negative", "orphans", "fractions", "2-D", "none"],
)
def test_bad_owners_are_refused(coarse, owned, fault):
    with pytest.raises(SpecError, match=fault):
        Layout(coarse, None, owned)


def test_gather_refuses_another_size(coarse):
    with pytest.raises(SpecError, match=r"expected \(\.\.\., 72\), got \(3,\)"):
        Layout(coarse).gather(torch.zeros(3, dtype=torch.float64))


def test_scatter_refuses_another_size(coarse):
    with pytest.raises(SpecError, match=r"expected \(\.\.\., 72\), got \(3,\)"):
        Layout(coarse).scatter(torch.zeros(3, dtype=torch.float64))


def test_redistribution_in_serial_is_the_identity(coarse):
    move = Layout(coarse).redistribute(Layout(coarse))
    x = move.domain.random(1, (2,))
    assert torch.equal(move(x), x)
    assert torch.equal(move.adjoint(x), x)


def test_redistribution_has_an_exact_adjoint(coarse):
    move = Layout(coarse).redistribute(Layout(coarse).with_halo(1))
    assert dot_test(move, batch=(3,)) == 0.0


def test_redistribution_is_differentiable(box):
    move = Layout(box).redistribute(Layout(box))
    assert torch.autograd.gradcheck(move, move.domain.random(1).requires_grad_(), check_forward_ad=True)


def test_redistribution_stays_on_one_grid(coarse, finer):
    with pytest.raises(SpecError, match="is not latlon grid 9x16"):
        Layout(coarse).redistribute(Layout(finer))


def test_a_halo_in_serial_adds_nothing(coarse):
    assert Layout(coarse).with_halo(2) == Layout(coarse)


def test_a_halo_of_points_is_refused():
    with pytest.raises(GridError, match="points have no neighbours"):
        Layout(Grid.points([1.0, 2.0], [3.0, 4.0])).with_halo(1)


def test_block_sums_by_hand():
    layout = Layout(Grid.points(np.arange(10.0), np.arange(10.0)))
    # 0+1+2+3, 4+5+6+7, 8+9
    assert layout.block_sums(torch.arange(10.0, dtype=torch.float64), 4).tolist() == [6, 22, 17]


def test_a_layout_says_what_it_is(coarse):
    assert "latlon grid 6x12" in repr(Layout(coarse))
    assert "72 of 72 cells on rank 0" in repr(Layout(coarse))


def test_every_cell_is_served_by_its_only_owner(coarse):
    rank, position = Layout(coarse).server
    assert not rank.any()
    assert np.array_equal(position, np.arange(72))
    assert not Layout(coarse).overlaps
