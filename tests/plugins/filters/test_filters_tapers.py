"""Weights by distance, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.plugins.filters.local.tapers import NUMBERS, gaspari_cohn, taper
from tradewind.plugins.filters.options import Taper


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        (0.0, 1.0),
        # 1 - 5/12 + 5/64 + 1/32 - 1/128
        (0.5, 263 / 384),
        # 1 - 5/3 + 5/8 + 1/2 - 1/4
        (1.0, 5 / 24),
        # 4 - 15/2 + 15/4 + 135/64 - 81/32 + 81/128 - 4/9
        (1.5, 4 - 7.5 + 3.75 + 135 / 64 - 81 / 32 + 81 / 128 - 4 / 9),
        (2.0, 0.0),
        (7.0, 0.0),
    ],
)
def test_gaspari_and_cohn_by_hand(r, expected):
    # r counts half of the support, which is 3 here
    assert gaspari_cohn(1.5 * r, 3.0) == pytest.approx(expected, abs=1e-15)


def test_the_two_pieces_meet_with_the_same_slope():
    step = 1e-5
    before, at, after = (gaspari_cohn(1.0 + k * step, 2.0) for k in (-1, 0, 1))
    assert after - at == pytest.approx(at - before, rel=1e-4)


@given(st.floats(0, 10), st.floats(0, 10), st.floats(0.1, 5))
def test_it_falls_and_stays_in_bounds(a, b, support):
    near, far = (gaspari_cohn(d, support) for d in sorted((a, b)))
    assert 0.0 <= far <= near <= 1.0


def test_about_a_normal_curve_of_the_same_length():
    # Lorenc (2003): a half-width of sqrt(10/3) = 1.82 lengths; equal curvature at 0, so close further on
    assert gaspari_cohn(0.1, 3.64) == pytest.approx(np.exp(-0.005), abs=5e-4)
    assert gaspari_cohn(1.0, 3.64) == pytest.approx(np.exp(-0.5), abs=0.03)


def test_boxcar_and_exponential():
    assert taper(NUMBERS[Taper.BOXCAR], 4.9, 5.0) == 1.0
    assert taper(NUMBERS[Taper.EXPONENTIAL], 3.0, 2.0) == pytest.approx(np.exp(-1.5), rel=1e-15)
    assert taper(NUMBERS[Taper.GASPARI_COHN], 1.0, 2.0) == pytest.approx(5 / 24)
