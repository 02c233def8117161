"""Maps are made once for each window and source, and the oldest windows are forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta

import torch

from tradewind.plugins.jacobian_emulator.kept import KeptMaps

FIRST = datetime(1996, 1, 16)
SECOND = FIRST + timedelta(hours=12)


class Maker:
    """Makes maps whose every cell tells the source, and remembers what it was asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, cells, end):
        self.asked.append((list(cells), end))
        values = torch.tensor([float(10 * row + column) for row, column in cells])
        return values.reshape(-1, 1, 1).expand(-1, 2, 2).clone()


def test_a_source_is_made_once():
    maker = Maker()
    kept = KeptMaps(maker)
    kept([(1, 2), (3, 4)], FIRST)
    again = kept([(3, 4), (5, 6), (1, 2)], FIRST)
    assert again[:, 0, 0].tolist() == [34.0, 56.0, 12.0]
    assert [cells for cells, _ in maker.asked] == [[(1, 2), (3, 4)], [(5, 6)]]


def test_another_window_is_made_anew():
    maker = Maker()
    kept = KeptMaps(maker)
    kept([(1, 2)], FIRST)
    kept([(1, 2)], SECOND)
    assert [end for _, end in maker.asked] == [FIRST, SECOND]


def test_the_oldest_windows_are_forgotten_first():
    maker = Maker()
    kept = KeptMaps(maker, most=3)
    kept([(1, 1), (2, 2)], FIRST)
    kept([(1, 1), (2, 2)], SECOND)  # four would be one too many
    maker.asked.clear()
    kept([(1, 1)], SECOND)
    assert maker.asked == [([], SECOND)] or not maker.asked
    kept([(1, 1)], FIRST)
    assert maker.asked[-1] == ([(1, 1)], FIRST)


def test_more_than_is_kept_is_answered_all_the_same():
    kept = KeptMaps(Maker(), most=1)
    assert kept([(1, 1), (2, 2)], FIRST)[:, 0, 0].tolist() == [11.0, 22.0]


def test_what_is_cleared_is_made_again():
    maker = Maker()
    kept = KeptMaps(maker)
    kept([(1, 2)], FIRST)
    kept.clear()
    kept([(1, 2)], FIRST)
    assert [cells for cells, _ in maker.asked] == [[(1, 2)], [(1, 2)]]
