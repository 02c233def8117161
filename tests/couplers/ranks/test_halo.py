"""Own cells in place, remote ones behind them."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.halo import Halo
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Serial


class Second(Serial):
    """The second of two ranks of which the first owns even cells: what it would send is made up here."""

    rank, size = 1, 2

    def allgather(self, item):
        return [item, item]

    def allgather_array(self, array):
        return [np.array([0, 2, 4]), np.array([1, 3, 5])]

    def exchange(self, arrays):
        if arrays[0].dtype == np.int64:  # the plan: what is wanted here is asked from there
            return [np.array([0]), np.empty(0, dtype=np.int64)]
        # cells 0 and 4 of two members
        return [np.array([[10.0, 20.0], [14.0, 24.0]]), np.empty((0, 2))]


GRID = Grid.points(np.arange(6.0), np.zeros(6))


@pytest.fixture
def serial() -> Halo:
    return Halo(Layout(GRID), np.array([5, 5, 2]))


@pytest.fixture
def second() -> Halo:
    return Halo(Layout(GRID, Second(), np.array([1, 3, 5])), np.array([4, 1, 0, 4]))


def test_in_serial_nothing_is_remote(serial):
    assert serial.size == 6
    assert serial.remote.tolist() == []


def test_in_serial_the_field_itself_is_read(serial):
    x = np.ones((2, 6))
    assert serial(x) is x


def test_remote_cells_are_named_once_and_sorted(second):
    assert second.remote.tolist() == [0, 4]


def test_own_cells_come_first(second):
    assert second.cells.tolist() == [1, 3, 5, 0, 4]
    assert second.size == 5


def test_places_lead_to_the_cells(second):
    cells = np.array([0, 1, 4, 5])
    assert second.cells[second.places(cells)].tolist() == cells.tolist()


def test_remote_values_stand_behind_the_own_ones(second):
    got = second(np.array([[11.0, 13, 15], [21, 23, 25]]))
    assert got.tolist() == [[11, 13, 15, 10, 14], [21, 23, 25, 20, 24]]


def test_no_members_have_no_values(serial):
    assert serial(np.empty((0, 6))).shape == (0, 6)
