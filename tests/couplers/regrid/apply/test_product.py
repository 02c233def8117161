"""The compiled product: scipy's numbers bit for bit, whatever the members or the cut into blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tradewind.couplers.regrid.apply import product
from tradewind.couplers.regrid.apply.product import Product


def random(rows: int, columns: int, density: float, seed: int = 0) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    return sparse.random_array((rows, columns), density=density, format="csr", rng=rng)


def members(count: int, columns: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, columns))


def expected(matrix: sparse.csr_array, x: np.ndarray) -> np.ndarray:
    """Each row from zero, entry by entry."""
    out = np.zeros((len(x), matrix.shape[0]))
    for row in range(matrix.shape[0]):
        for entry in range(matrix.indptr[row], matrix.indptr[row + 1]):
            out[:, row] = out[:, row] + matrix.data[entry] * x[:, matrix.indices[entry]]
    return out


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 40])
def test_rows_are_summed_entry_by_entry(count):
    matrix = random(21, 35, 0.3)
    x = members(count, 35)
    assert np.array_equal(Product(matrix)(x), expected(matrix, x))


def test_by_hand():
    # rows: 2 x0 + 3 x2, nothing, -x1
    matrix = sparse.csr_array(np.array([[2.0, 0, 3], [0, 0, 0], [0, -1, 0]]))
    assert Product(matrix)(np.array([[1.0, 10, 100], [0, 1, 2]])).tolist() == [[302, 0, -10], [6, 0, -1]]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1), st.integers(1, 20), st.integers(0, 99))
def test_any_matrix_and_any_number_of_members(rows, columns, density, count, seed):
    matrix = random(rows, columns, density, seed)
    x = members(count, columns, seed)
    assert np.array_equal(Product(matrix)(x), (matrix @ x.T).T)


@pytest.mark.parametrize("count", [2, 5, 11])
def test_a_member_has_the_same_bits_alone_and_among_others(count):
    apply = Product(random(50, 60, 0.4))
    x = members(count, 60)
    assert np.array_equal(apply(x), np.concatenate([apply(x[k : k + 1]) for k in range(count)]))


@pytest.mark.parametrize("rows", [1, 2, 7, 39, 40, 1000])
def test_the_cut_into_blocks_does_not_show(monkeypatch, rows):
    matrix, x = random(40, 90, 0.2), members(9, 90)
    monkeypatch.setattr(product, "ROWS", rows)
    assert np.array_equal(Product(matrix)(x), expected(matrix, x))


def test_entries_keep_the_order_in_which_they_are_stored():
    # 1 + 1e16 - 1e16 is 0 in this order, and 1 with the large ones first
    shape = (1, 3)
    given_order = sparse.csr_array((np.array([1.0, 1e16, -1e16]), np.array([0, 1, 2]), [0, 3]), shape=shape)
    turned = sparse.csr_array((np.array([1e16, -1e16, 1.0]), np.array([1, 2, 0]), [0, 3]), shape=shape)
    ones = np.ones((5, 3))
    assert Product(given_order)(ones).tolist() == [[0.0]] * 5
    assert Product(turned)(ones).tolist() == [[1.0]] * 5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_reaches_only_the_rows_that_use_it(bad):
    matrix = sparse.csr_array(np.eye(8))
    x = np.ones((6, 8))
    x[2, 5] = bad
    got = Product(matrix)(x)
    assert (~np.isfinite(got)).nonzero() == (np.array([2]), np.array([5]))


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (5, 0), (0, 0)])
def test_nothing_times_nothing(rows, columns):
    got = Product(sparse.csr_array((rows, columns)))(np.ones((3, columns)))
    assert got.shape == (3, rows)
    assert not got.any()


def test_a_matrix_without_entries_gives_zeros():
    assert not Product(sparse.csr_array((7, 9)))(members(5, 9)).any()


def test_members_last_are_taken_too():
    matrix, x = random(10, 12, 0.5), members(6, 12)
    assert np.array_equal(Product(matrix)(np.asfortranarray(x)), Product(matrix)(x))


def test_a_view_within_a_larger_array_is_not_read_beyond_its_end():
    matrix = random(10, 7, 0.9)
    x = np.full((5, 8), np.nan)
    x[:, :7] = members(5, 7)
    assert np.array_equal(Product(matrix)(x[:, :7]), expected(matrix, x[:, :7]))
