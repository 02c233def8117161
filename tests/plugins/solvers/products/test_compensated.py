"""Sums that carry twice the digits: exact where plain sums are not, and the same in any order."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.ranks.parallel import Serial
from tradewind.plugins.solvers.products import compensated
from tradewind.plugins.solvers.products.compensated import Compensated, CompensatedSquare, mirrored


def total(parts, order=None):
    made = Compensated((1,))
    for value in np.asarray(parts)[order if order is not None else slice(None)]:
        made.add(np.array([value]))
    return made.total(Serial())[0]


def test_what_a_plain_sum_loses_is_kept():
    # 1 + 1e-16 + 1e-16 is 1 when added plainly, each time rounded to 1
    assert sum([1.0, 1e-16, 1e-16]) == 1.0
    assert total([1.0, 1e-16, 1e-16]) == 1.0 + 2e-16


def test_large_terms_that_cancel_leave_the_small_one():
    assert total([1e20, 1.0, -1e20]) == 1.0


numbers = st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1, max_size=40)


@settings(max_examples=60, deadline=None)
@given(numbers)
def test_the_sum_is_the_exact_one_rounded_once(values):
    exact = sum((Fraction(v) for v in values), Fraction(0))
    # the exact sum of rounding errors is itself rounded, a part in 2^53 of a part in 2^53
    slack = Fraction(sum(abs(v) for v in values)) / 2**95
    assert abs(Fraction(total(values)) - exact) <= abs(exact) / 2**53 + slack


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_the_order_does_not_show(count, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(count) * 10.0 ** generator.integers(-8, 8, count)
    orders = [generator.permutation(count) for _ in range(3)]
    assert len({total(values, order).tobytes() for order in orders}) == 1


def test_a_plain_sum_would_show_it():
    values = np.random.default_rng(1).standard_normal(100)
    assert sum(values) != sum(values[::-1])


def test_rows_of_a_symmetric_matrix_go_where_they_belong():
    square, part = CompensatedSquare(5), np.array([[1.0, 2.0], [2.0, 3.0]])
    square.add_rows(part, np.array([1, 4]), 0)
    expected = np.zeros((5, 5))
    expected[np.ix_([1, 4], [1, 4])] = part
    assert (square.total(Serial()) == expected).all()


def test_rows_may_come_in_strips():
    whole, strips = CompensatedSquare(6), CompensatedSquare(6)
    k = np.random.default_rng(2).standard_normal((3, 4))
    product, columns = k.T @ k, np.array([0, 2, 3, 5])
    whole.add_rows(product, columns, 0)
    strips.add_rows(product[:3, :3], columns, 0)
    strips.add_rows(product[3:], columns, 3)
    assert (whole.total(Serial()) == strips.total(Serial())).all()


def test_rows_carry_twice_the_digits_too():
    square = CompensatedSquare(1)
    for value in (1.0, 1e-16, 1e-16):
        square.add_rows(np.array([[value]]), np.array([0]), 0)
    assert square.total(Serial())[0, 0] == 1.0 + 2e-16


@pytest.mark.parametrize("entries", [1, 7, 1 << 20])
def test_a_matrix_is_mirrored_block_by_block(entries, monkeypatch):
    monkeypatch.setattr(compensated, "ENTRIES", entries)
    matrix = np.arange(25.0).reshape(5, 5)
    expected = np.tril(matrix) + np.tril(matrix, -1).T
    assert mirrored(matrix) is matrix
    assert (matrix == expected).all()


class Two:
    """Two ranks in one process: each gathers what the other has prepared."""

    rank, size = 0, 2

    def __init__(self, other):
        self.other = other

    def allgather_array(self, array):
        return [array, self.other(array)]


def test_ranks_add_up_to_what_one_would_have():
    values = np.random.default_rng(3).standard_normal((8, 4))
    one, mine, theirs = Compensated((4,)), Compensated((4,)), Compensated((4,))
    for row in values:
        one.add(row)
    for row in values[::2]:
        mine.add(row)
    for row in values[1::2]:
        theirs.add(row)
    gathered = mine.total(Two(lambda _: np.stack([theirs.high, theirs.low])[None]))
    assert gathered.tobytes() == one.total(Serial()).tobytes()
