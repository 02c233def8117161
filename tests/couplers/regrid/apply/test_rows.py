"""Weights between the rank that holds them all and the owners of their rows."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial
from tradewind.couplers.regrid.apply.rows import dealt, gathered
from tradewind.couplers.regrid.weights import Triplets

GRID = Grid.points(np.arange(4.0), np.zeros(4))


class First(Serial):
    """The first of two ranks, of which each owns every other cell; `sent` is what it sent last."""

    rank, size = 0, 2

    def __init__(self, answers=()) -> None:
        self.answers, self.sent = list(answers), []

    def allgather(self, item):
        return [item, item]

    def allgather_array(self, array):
        return [np.array([0, 2]), np.array([1, 3])]

    def exchange(self, arrays):
        self.sent.append([np.asarray(a) for a in arrays])
        return [arrays[0], self.answers.pop(0) if self.answers else arrays[0][:0]]


@pytest.fixture
def whole() -> Triplets:
    row, col = np.array([0, 1, 2, 2, 3]), np.array([5, 6, 0, 7, 1])
    return Triplets(row, col, np.array([1.0, 2, 3, 4, 5]), np.array([0.1, 0.2, 0.3, 0.4]), 9)


def test_in_serial_nothing_moves(whole):
    assert dealt(whole, Layout(GRID)) is whole
    assert gathered(whole, Layout(GRID)) is whole


def test_each_rank_is_sent_its_own_rows_only(whole):
    comm = First()
    mine = dealt(whole, Layout(GRID, comm, np.array([0, 2])))
    assert (mine.row.tolist(), mine.col.tolist(), mine.value.tolist()) == ([0, 2, 2], [5, 0, 7], [1, 3, 4])
    assert comm.sent[0][1].tolist() == [[1, 6], [3, 1]]
    assert comm.sent[1][1].tolist() == [2, 5]


def test_fractions_and_the_number_of_sources_go_to_all(whole):
    comm = First()
    mine = dealt(whole, Layout(GRID, comm, np.array([0, 2])))
    assert (mine.frac_target.tolist(), mine.n_source) == ([0.1, 0.2, 0.3, 0.4], 9)
    assert comm.sent[2][1].tolist() == [0.1, 0.2, 0.3, 0.4]


def test_rows_of_all_ranks_come_together_in_order(whole):
    others = [np.array([[1, 6], [3, 1]]), np.array([2.0, 5.0]), np.array([1, 3]), np.array([0.2, 0.4])]
    found = gathered(whole, Layout(GRID, First(others), np.array([0, 2])))
    assert np.array_equal(found.row, whole.row)
    assert np.array_equal(found.col, whole.col)
    assert np.array_equal(found.value, whole.value)


def test_rows_of_others_are_left_out_where_ranks_made_them_too(whole):
    found = gathered(whole, Layout(GRID, First(), np.array([0, 2])))
    assert found.row.tolist() == [0, 2, 2]
