"""Sorting and adding up of triplets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.regrid.weights.triplets import coalesce

entries = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(-8, 8)), max_size=60)


def columns(rows: list[tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    row, col, value = (np.array([r[k] for r in rows]) for k in range(3))
    return row.astype(np.int64), col.astype(np.int64), value.astype(np.float64)


def test_repeated_pairs_are_added_up():
    row, col, value = coalesce(*columns([(1, 2, 0.25), (0, 0, 1.0), (1, 2, 0.5)]))
    assert (row.tolist(), col.tolist(), value.tolist()) == ([0, 1], [0, 2], [1.0, 0.75])


def test_nothing_coalesces_to_nothing():
    assert [len(v) for v in coalesce(*columns([]))] == [0, 0, 0]


@settings(deadline=None)
@given(entries)
def test_the_matrix_stays_the_same(found):
    # sums of small whole numbers are exact in any order
    row, col, value = coalesce(*columns(found))
    expected: dict[tuple[int, int], int] = {}
    for i, j, v in found:
        expected[i, j] = expected.get((i, j), 0) + v
    got = zip(row.tolist(), col.tolist(), value.tolist(), strict=True)
    assert {(i, j): v for i, j, v in got} == expected


@settings(deadline=None)
@given(entries)
def test_pairs_come_once_in_order(found):
    row, col, _ = coalesce(*columns(found))
    pairs = list(zip(row.tolist(), col.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


def test_values_are_added_in_the_order_in_which_they_come():
    # 1 + 1e-16 + 1e-16 is 1, the other way round it is more
    forwards = coalesce(*columns([(0, 0, 1.0), (0, 0, 1e-16), (0, 0, 1e-16)]))[2]
    backwards = coalesce(*columns([(0, 0, 1e-16), (0, 0, 1e-16), (0, 0, 1.0)]))[2]
    assert forwards[0] == 1.0 < backwards[0]


def test_what_is_sorted_is_not_copied():
    given_ = columns([(0, 1, 1.0), (0, 2, 2.0), (3, 0, 3.0)])
    assert all(a is b for a, b in zip(coalesce(*given_), given_, strict=True))


def test_columns_out_of_order_within_a_row_are_sorted():
    row, col, value = coalesce(*columns([(0, 2, 1.0), (0, 1, 2.0)]))
    assert (row.tolist(), col.tolist(), value.tolist()) == ([0, 0], [1, 2], [2.0, 1.0])


def test_indices_of_other_types_become_64_bits():
    row, col, value = coalesce(np.array([0], np.int32), np.array([1], np.int32), np.array([1.0], np.float32))
    assert [v.dtype for v in (row, col, value)] == [np.int64, np.int64, np.float64]
