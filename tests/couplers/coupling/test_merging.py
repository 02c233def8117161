"""Fractions of what is merged: their range, their sum, and the cell that is named when they are wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.merging import check_fractions, check_range
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError


def end(mask: list[bool] | None = None) -> End:
    grid = Grid.latlon([10.0, 20.0], [0.0, 30.0], mask=None if mask is None else np.reshape(mask, (2, 2)))
    return End("air", Variable("t", "K", grid), Layout(grid))


def fraction(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_three_tiles_add_up():
    land, ocean, ice = fraction(1, 0.5, 0, 0), fraction(0, 0.25, 1, 0.6), fraction(0, 0.25, 0, 0.4)
    check_fractions([land, ocean, ice], end())


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_fraction_and_the_rest_add_up(values):
    land = fraction(*values)
    check_fractions([land, 1.0 - land], end())


def test_the_worst_cell_is_named_with_place_and_sum():
    with pytest.raises(DataError, match=r"air\.t: .* add up to 0\.75 at cell 3 \(lat 20, lon 30\)"):
        check_fractions([fraction(1, 0.5, 0, 0.25), fraction(0, 0.4, 1, 0.5)], end())


def test_too_much_is_as_wrong_as_too_little():
    with pytest.raises(DataError, match=r"add up to 1\.5 at cell 1"):
        check_fractions([fraction(0.5, 0.75, 0.5, 0.5), fraction(0.5, 0.75, 0.5, 0.5)], end())


def test_the_tolerance_is_absolute():
    nearly = [fraction(0.5, 0.5, 0.5, 0.5), fraction(0.5, 0.5, 0.5, 0.5 + 2e-6)]
    check_fractions(nearly, end(), tolerance=1e-5)
    with pytest.raises(DataError, match=r"add up to 1\.000002 at cell 3"):
        check_fractions(nearly, end())


def test_masked_cells_may_hold_anything():
    odd = fraction(7.0, float("nan"), 1, 1)
    check_fractions([odd], end([False, False, True, True]))


def test_missing_fractions_are_not_fractions():
    with pytest.raises(DataError, match="a fraction is nan at cell 2"):
        check_fractions([fraction(1, 1, float("nan"), 1)], end())


def test_members_are_looked_at_one_by_one():
    moving = torch.stack([fraction(0.5, 0.5, 0.5, 0.5), fraction(0.5, 0.5, 0.25, 0.5)])
    with pytest.raises(DataError, match=r"add up to 0\.75 at cell 2"):
        check_fractions([moving, fraction(0.5, 0.5, 0.5, 0.5)], end())


@pytest.mark.parametrize("value", [-0.25, 1.25, 40.0])
def test_what_lies_beyond_zero_and_one_is_refused(value):
    with pytest.raises(DataError, match=rf"a fraction is {value:g} at cell 1 .*divide per cent by 100"):
        check_range(fraction(0, value, 1, 1), end())


def test_rounding_beyond_zero_and_one_is_none():
    check_range(fraction(-1e-9, 1 + 1e-9, 0, 1), end())


def test_a_grid_without_active_cells_has_nothing_to_add_up():
    check_fractions([fraction(0, 0, 0, 0)], end([False] * 4))
