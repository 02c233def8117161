"""Masks: booleans, zeros and ones, or codes; never fractions."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.errors import GridError

LAT, LON = [0.0, 1.0], [0.0, 1.0, 2.0]
CODES = np.array([[0, 1, 2], [1, 3, 0]])


def mask_of(mask, **codes) -> list[list[bool]]:
    return Grid.latlon(LAT, LON).with_mask(mask, **codes).mask.reshape(2, 3).tolist()


@pytest.mark.parametrize("kind", [bool, int, np.int8, np.uint8, float, np.float32])
def test_zero_is_inactive_in_any_type(kind):
    mask = np.array([[0, 1, 1], [0, 0, 1]], dtype=kind)
    assert Grid.latlon(LAT, LON, mask=mask).mask.tolist() == [False, True, True, False, False, True]


def test_codes_that_are_active_are_named():
    assert mask_of(CODES, active=(1,)) == [[False, True, False], [True, False, False]]


def test_codes_that_are_inactive_are_named():
    assert mask_of(CODES, inactive=(0, 2)) == [[False, True, False], [True, True, False]]


def test_a_mask_replaces_the_one_before():
    grid = Grid.latlon(LAT, LON, mask=CODES)
    assert grid.with_mask(np.ones((2, 3))).mask.all()
    assert not grid.mask.all()  # the grid itself is left alone


def test_another_mask_makes_another_grid():
    grid = Grid.latlon(LAT, LON)
    assert grid.with_mask(CODES) != grid
    assert grid.with_mask(np.ones(6, dtype=bool)) == grid


@pytest.mark.parametrize("make", [Grid.points, lambda x, y, mask: Grid.cubed_sphere(1, mask=mask)])
def test_every_kind_of_grid_takes_a_mask(make):
    grid = make(np.arange(6.0), np.arange(6.0), mask=[1, 0, 1, 1, 0, 1])
    assert grid.mask.sum() == 4


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        (np.full((2, 3), 0.5), "value 0.5 of cell 0 is a fraction.*with each call of a regridder"),
        (np.array([[1, 0, np.nan], [0, 0, 0]]), "1 values are missing"),
        (np.ma.masked_equal(CODES, 2), "has missing values.*fill them"),
        (CODES.T, r"shape \(3, 2\) is not the grid's \(2, 3\).*transposed"),
        (CODES[:1], r"shape \(1, 3\) is not the grid's"),
        (np.array([["land", "sea", "sea"]] * 2), "is not numeric"),
    ],
    ids=["fractions", "nan", "masked", "transposed", "shape", "text"],
)
def test_bad_masks(mask, fault):
    for make in (lambda: Grid.latlon(LAT, LON, mask=mask), lambda: Grid.latlon(LAT, LON).with_mask(mask)):
        with pytest.raises(GridError, match=rf"latlon grid mask: .*{fault}"):
            make()


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        ({"active": (1,), "inactive": (0,)}, "name either the active or the inactive codes"),
        ({"active": (7,)}, "code 7 occurs nowhere.*codes there are: 0, 1, 2, 3"),
        ({"inactive": (0, -1)}, "code -1 occurs nowhere"),
    ],
)
def test_bad_codes(codes, fault):
    with pytest.raises(GridError, match=fault):
        mask_of(CODES, **codes)


def test_a_mask_without_missing_values_may_be_a_masked_array():
    assert mask_of(np.ma.masked_equal(CODES, 99), active=(3,)) == [[False] * 3, [False, True, False]]
