"""Native weights against ESMF's, entry by entry, from the grids in ESMF's own weight files."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from tradewind.couplers.regrid.mapfile import WeightMap, read_map
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate

pytestmark = pytest.mark.shared
CONSERVATIVE = [
    "a_ll5_to_4x5_conserve_dstarea", "a_ll5_to_4x5_conserve_fracarea", "b_permian_conserve_dstarea",
    "b_permian_conserve_fracarea", "c_masked3_to_5_conserve_fracarea", "c_5_to_masked3_conserve_dstarea",
    "d_rotated_to_2.5_conserve_dstarea", "d_rotated_to_2.5_conserve_fracarea", "e_C12_to_5_conserve_dstarea",
]  # fmt: skip
BILINEAR = [
    "a_ll5_to_4x5_bilinear", "b_permian_bilinear", "c_masked3_to_5_bilinear", "c_5_to_masked3_bilinear",
    "d_rotated_to_2.5_bilinear", "f_ll5_to_points_bilinear",
]  # fmt: skip
NEAREST = ["a_ll5_to_4x5_nearest_stod", "f_ll5_to_points_nearest_stod"]


@cache
def esmf(path: Path) -> WeightMap:
    return read_map(path)


@cache
def native(path: Path) -> Triplets:
    method = next(m for word, m in WORDS.items() if word in path.stem)
    norm = Norm.FRACAREA if "fracarea" in path.stem else Norm.DSTAREA
    return generate(esmf(path).source, esmf(path).target, Scheme(method, norm))


WORDS = {"conserve": Method.CONSERVATIVE, "bilinear": Method.BILINEAR, "nearest": Method.NEAREST_S2D}


@pytest.fixture
def path(shared, request) -> Path:
    return shared / "reference" / "esmf_weights" / f"{request.param}.nc"


def pairs(weights: Triplets, significant: np.ndarray) -> dict[tuple[int, int], float]:
    entries = zip(weights.row[significant], weights.col[significant], weights.value[significant], strict=True)
    return {(int(i), int(j)): float(v) for i, j, v in entries}


def significant(weights: Triplets, content: WeightMap, name: str) -> dict[tuple[int, int], float]:
    """Entries above 1e-10, for conservative weights as part of the smaller of the two cells."""
    size = np.abs(weights.value)
    if "conserve" in name:
        here, there = content.target.polygon_area[weights.row], content.source.polygon_area[weights.col]
        size = size * here / np.minimum(here, there)
    return pairs(weights, size > 1e-10)


@pytest.mark.parametrize("path", CONSERVATIVE + BILINEAR, indirect=True)
def test_the_same_cells_meet(path):
    theirs = significant(esmf(path).weights, esmf(path), path.stem)
    ours = significant(native(path), esmf(path), path.stem)
    assert ours.keys() == theirs.keys()


@pytest.mark.parametrize("path", CONSERVATIVE + BILINEAR, indirect=True)
def test_weights_agree(path):
    theirs = significant(esmf(path).weights, esmf(path), path.stem)
    ours = significant(native(path), esmf(path), path.stem)
    assert max(abs(ours[k] - v) for k, v in theirs.items()) <= 1e-10


@pytest.mark.parametrize("path", CONSERVATIVE, indirect=True)
def test_areas_agree(path):
    content = esmf(path)
    with netCDF4.Dataset(path) as ds:
        assert np.allclose(content.source.area, ds["area_a"][:], rtol=1e-11)
        assert np.allclose(content.target.area, ds["area_b"][:], rtol=1e-11)


@pytest.mark.parametrize("path", CONSERVATIVE + BILINEAR + NEAREST, indirect=True)
def test_covered_fractions_agree(path):
    assert np.abs(native(path).frac_target - esmf(path).weights.frac_target).max() <= 1e-12


@pytest.mark.parametrize("path", NEAREST, indirect=True)
def test_nearest_cells_agree_where_one_is_nearest(path):
    with netCDF4.Dataset(path) as ds:
        alone = ds["tie_b"][:].filled() == 0
    ours, theirs = native(path), esmf(path).weights
    assert np.array_equal(ours.row, theirs.row)
    assert np.array_equal(ours.col[alone], theirs.col[alone])


@pytest.mark.parametrize("path", NEAREST, indirect=True)
def test_where_several_are_nearest_ours_is_as_near_as_theirs(path):
    source, target = esmf(path).source.centres, esmf(path).target.centres
    near = [np.linalg.norm(source[w.col] - target[w.row], axis=1) for w in (native(path), esmf(path).weights)]
    assert np.abs(near[0] - near[1]).max() <= 1e-12


@pytest.mark.parametrize(
    "path", ["a_ll5_to_4x5_conserve_dstarea", "e_C12_to_5_conserve_dstarea"], indirect=True
)
def test_integrals_are_conserved_on_their_grids(path):
    content, ours = esmf(path), native(path)
    field = np.random.default_rng(0).standard_normal(content.source.size)
    got = np.bincount(ours.row, content.target.area[ours.row] * ours.value * field[ours.col]).sum()
    assert got == pytest.approx(content.source.area @ field, abs=1e-13)
