"""Who steps which members, and who analyses which cells."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tradewind.assimilation.sharing import by_work, deal_members, evenly


def test_members_are_dealt_in_blocks():
    shares = deal_members(7, None, 3)
    assert shares.waves == (((0, 1),), ((2, 3),), ((4, 5, 6),))
    assert shares.counts == (2, 2, 3)


def test_waves_are_the_same_for_any_number_of_ranks():
    assert deal_members(5, 2, 1).waves == (((0, 1), (2, 3), (4,)),)
    assert deal_members(5, 2, 2).waves == (((0, 1),), ((2, 3), (4,)))


def test_ranks_without_members_have_no_wave():
    assert deal_members(2, None, 4).waves == ((), ((0,),), (), ((1,),))


def test_members_that_are_lost_leave_their_wave():
    shares = deal_members(4, 2, 2).without([0, 2, 3])
    assert shares.members == (1,)
    assert shares.counts == (1, 0)
    assert shares.rank_of(1) == 0


def test_equal_work_and_not_equal_counts():
    # cells 0 and 1 cost 4 each, the other eight 1 each: half of the work is done with the first two
    assert by_work(np.array([4.0, 4, 1, 1, 1, 1, 1, 1, 1, 1]), 2, 1, 10) == (0, 2, 10)


def test_blocks_are_never_cut():
    assert evenly(10, 3, block=4) == (0, 4, 8, 10)


@given(st.integers(0, 50), st.integers(1, 7), st.integers(1, 5), st.randoms())
def test_all_cells_are_dealt_once_in_order(cells, ranks, block, random):
    work = np.array([random.choice([0.0, 0.5, 3.0]) for _ in range(-(-cells // block))])
    bounds = by_work(work, ranks, block, cells)
    assert len(bounds) == ranks + 1
    assert (bounds[0], bounds[-1]) == (0, cells)
    assert list(bounds) == sorted(bounds)
    assert all(bound % block == 0 for bound in bounds[:-1] if bound != cells)


@given(st.integers(1, 20), st.integers(1, 6), st.none() | st.integers(1, 7))
def test_all_members_are_dealt_once_in_order(members, ranks, wave):
    assert deal_members(members, wave, ranks).members == tuple(range(members))
