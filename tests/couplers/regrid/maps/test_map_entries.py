"""Entries of weight files: any order, any repetition and either layout make the same matrix."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.maps import entries, layouts, netcdf
from tradewind.couplers.regrid.maps.layouts import ENTRIES, MapLayout, grid_names
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import DataError

LAYOUTS = list(MapLayout)
TRIPLETS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.floats(-9, 9)), max_size=30)


def written(path: Path, layout: MapLayout, triplets: list[tuple[int, int, float]], **more) -> Path:
    """Write a file with nothing but entries of a map from five cells onto seven."""
    names = ENTRIES[layout]
    row, col, value = (np.array([t[k] for t in triplets]) for k in range(3))
    with netCDF4.Dataset(path, "w") as ds:
        for side, n in (("source", 5), ("target", 7)):
            ds.createDimension(grid_names(layout, side).size, n)
        ds.createDimension(names.size, len(triplets))
        for name, index in ((names.row, row), (names.col, col)):
            ds.createVariable(name, more.get("kind", "i4"), (names.size,))[:] = index + 1
        dims = (names.size,)
        if names.second:
            ds.createDimension(names.second, 1)
            dims, value = (names.size, names.second), value.reshape(-1, 1)
        ds.createVariable(names.value, "f8", dims)[:] = value
    return path


def matrix(triplets) -> np.ndarray:
    out = np.zeros((7, 5))
    for row, col, value in triplets:
        out[row, col] += value
    return out


def dense(weights: Triplets) -> np.ndarray:
    return matrix(zip(weights.row, weights.col, weights.value, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(triplets=TRIPLETS.filter(len))
def test_any_entries_make_their_matrix(tmp_path, layout, triplets):
    weights, _ = mapfile.read_weights(written(tmp_path / "map.nc", layout, triplets))
    assert np.allclose(dense(weights), matrix(triplets), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(triplets=TRIPLETS.filter(len))
def test_entries_come_sorted_each_pair_once(tmp_path, layout, triplets):
    weights, _ = mapfile.read_weights(written(tmp_path / "map.nc", layout, triplets))
    pairs = list(zip(weights.row.tolist(), weights.col.tolist(), strict=True))
    assert pairs == sorted(set(pairs))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(triplets=TRIPLETS)
def test_what_is_kept_for_a_cache_comes_back_bit_by_bit(tmp_path, triplets):
    row, col, value = (np.array([t[k] for t in triplets]) for k in range(3))
    row, col = row.astype(np.int64), col.astype(np.int64)
    order = np.lexsort((col, row))
    once = np.append(True, (np.diff(row[order]) != 0) | (np.diff(col[order]) != 0))[: len(order)]
    kept = order[once]
    weights = Triplets(row[kept], col[kept], value[kept].astype(float), np.linspace(0, 1, 7), 5)
    mapfile.write_weights(tmp_path / "kept.nc", weights, {})
    back, _ = mapfile.read_weights(tmp_path / "kept.nc")
    for name in ("row", "col", "value", "frac_target"):
        assert getattr(back, name).tobytes() == getattr(weights, name).tobytes()


@pytest.mark.parametrize("kind", ["i2", "i4", "i8", "f8"])
def test_indices_of_any_type_are_read(tmp_path, kind):
    path = written(tmp_path / "map.nc", MapLayout.ESMF, [(6, 4, 1.5), (0, 0, 2.5)], kind=kind)
    weights, _ = mapfile.read_weights(path)
    assert (weights.row.tolist(), weights.col.tolist()) == ([0, 6], [0, 4])
    assert weights.row.dtype == np.int64


@pytest.mark.parametrize("layout", LAYOUTS)
def test_without_fractions_reached_targets_count_as_covered(tmp_path, layout):
    weights, _ = mapfile.read_weights(written(tmp_path / "map.nc", layout, [(6, 4, 1.5), (2, 0, 2.5)]))
    assert weights.frac_target.tolist() == [0, 0, 1, 0, 0, 0, 1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("side", "index"), [("row", 7), ("row", -1), ("col", 5), ("col", -1)])
def test_cells_that_are_not_there_are_named(tmp_path, layout, side, index):
    entry = (index, 0, 1.0) if side == "row" else (0, index, 1.0)
    with pytest.raises(DataError, match=rf"entries name cells {index + 1}\.\..*\(cells count from 1\)"):
        mapfile.read_weights(written(tmp_path / "map.nc", layout, [entry]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sizes_of_grids_are_needed(tmp_path, layout):
    path = written(tmp_path / "map.nc", layout, [(0, 0, 1.0)])
    with netCDF4.Dataset(path, "a") as ds:
        ds.renameDimension(grid_names(layout, "source").size, "other")
    with pytest.raises(DataError, match=r"dimension '.*' is missing"):
        mapfile.read_weights(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_known_by_its_weights(tmp_path, layout):
    with netcdf.opened(written(tmp_path / "map.nc", layout, [(0, 0, 1.0)])) as ds:
        assert entries.layout_of(ds) is layout


def test_both_sides_of_a_layout_differ_in_every_name():
    for layout in LAYOUTS:
        sides = [vars(grid_names(layout, side)) for side in layouts.SHORT]
        assert not set(sides[0].values()) & set(sides[1].values())


def test_attributes_come_as_text(tmp_path):
    path = written(tmp_path / "map.nc", MapLayout.ESMF, [(0, 0, 1.0)])
    with netCDF4.Dataset(path, "a") as ds:
        ds.setncatts({"normalization": "fracarea", "number": 7})
    assert mapfile.read_weights(path)[1] == {"normalization": "fracarea", "number": "7"}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.nc: no such file"):
        mapfile.read_weights(tmp_path / "none.nc")
