"""Tables of nodes: first index, fill value and type do not matter to what they say."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.grids.readers.connectivity import counted_from_zero

TABLES = st.lists(st.lists(st.integers(-1, 50), min_size=4, max_size=4), min_size=1, max_size=8)


def stored(table: np.ndarray, first: int, fill: float, kind: str, where: str) -> xr.DataArray:
    values = np.where(table < 0, fill, table + first).astype(kind)
    about = {"start_index": first, "_FillValue": values.dtype.type(fill)}
    out = xr.DataArray(values, dims=("face", "corner"))
    getattr(out, where).update(about)
    return out


@given(
    table=TABLES.map(np.array),
    first=st.integers(0, 1),
    fill=st.sampled_from([-1, -999, 0, 2**31 - 1]),
    kind=st.sampled_from(["i4", "i8", "f8"]),
    where=st.sampled_from(["attrs", "encoding"]),
)
def test_every_way_to_store_a_table_says_the_same(table, first, fill, kind, where):
    if fill == 0 and first == 0:
        fill = -1  # zero is a node there
    found = counted_from_zero(stored(table, first, fill, kind, where), start=7)
    assert found.tolist() == table.tolist()
    assert found.dtype == np.int64


@given(TABLES.map(np.array), st.integers(0, 1))
def test_decoded_fill_values_are_nan(table, first):
    values = np.where(table < 0, np.nan, table + first)
    out = xr.DataArray(values, dims=("face", "corner"), attrs={"start_index": first})
    assert counted_from_zero(out, start=0).tolist() == table.tolist()


@pytest.mark.parametrize("start", [0, 1])
def test_conventions_differ_in_the_first_index_where_nothing_is_said(start):
    table = xr.DataArray(np.array([[3, 4, 5]]))
    assert counted_from_zero(table, start).tolist() == [[3 - start, 4 - start, 5 - start]]


def test_codes_may_be_spared():
    table = xr.DataArray(np.array([[1, 2, 3, -8, -1]]), attrs={"_FillValue": -1})
    assert counted_from_zero(table, 1, spared=(-8,)).tolist() == [[0, 1, 2, -8, -1]]
