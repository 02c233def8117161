"""Least and largest steps within cells."""

from __future__ import annotations

import numpy as np

from tradewind.couplers.regrid.weights.overlaps.extremes import extremes

SHIFT = np.array([[1.0, 0, 0], [-2.0, 0, 0], [0, 3.0, 0], [0, 0, 1.0]])
STARTS = np.array([0, 3, 3, 4])


def test_the_displacement_with_the_least_and_the_largest_step_is_found():
    slope = np.array([[[1.0, 1.0, 0], [1.0, 1.0, 1.0], [0, 0, -1.0]]])
    low, high = extremes(STARTS, SHIFT, slope)
    assert low[0].tolist() == [[-2, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert high[0].tolist() == [[0, 3, 0], [0, 0, 0], [0, 0, 1]]


def test_of_several_alike_the_first_counts():
    low, high = extremes(STARTS, SHIFT, np.zeros((1, 3, 3)))
    assert low[0, 0].tolist() == high[0, 0].tolist() == [1, 0, 0]


def test_members_are_looked_at_one_by_one():
    slope = np.zeros((2, 3, 3))
    slope[0, 0], slope[1, 0] = [1, 0, 0], [-1, 0, 0]
    low, _ = extremes(STARTS, SHIFT, slope)
    assert low[:, 0].tolist() == [[-2, 0, 0], [1, 0, 0]]
