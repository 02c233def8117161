"""Eigenvectors of small matrices, against what they must fulfil."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.plugins.filters.transform.eigen import symmetric


def check(matrix):
    rows, values = np.tril(matrix), np.empty(len(matrix))  # what lies above the diagonal is not read
    symmetric(rows, values)
    size = max(np.abs(matrix).max(), 1e-300)
    np.testing.assert_allclose((rows.T * values) @ rows, matrix, rtol=0, atol=2e-14 * size * len(matrix))
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(matrix)), rtol=0, atol=1e-13)
    return values


@settings(max_examples=40)
@given(st.integers(1, 30), st.integers(0, 999), st.sampled_from([1e-12, 1.0, 1e9]))
def test_values_and_vectors_make_the_matrix(n, seed, scale):
    draws = np.random.default_rng(seed).standard_normal((n, n)) * scale
    values = check(draws + draws.T)
    np.testing.assert_allclose(np.sort(values), np.linalg.eigvalsh(draws + draws.T), atol=1e-13 * n * scale)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.zeros((4, 4)), [0, 0, 0, 0]),
        (np.diag([3.0, 1.0, 2.0]), [1, 2, 3]),
        (np.ones((3, 3)), [0, 0, 3]),
        (np.array([[2.0, 1.0], [1.0, 2.0]]), [1, 3]),
        (np.array([[5.0]]), [5]),
    ],
)
def test_by_hand(matrix, expected):
    np.testing.assert_allclose(np.sort(check(matrix)), expected, atol=1e-14)


def test_what_is_not_finite_comes_to_an_end():
    values = np.empty(4)
    symmetric(np.full((4, 4), np.nan), values)
    assert np.isnan(values).any()
