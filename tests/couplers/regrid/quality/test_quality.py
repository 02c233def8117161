"""Figures of weights: by hand on four cells, against ESMF's published table, and on weights made bad."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.mapfile import WeightMap, read_map
from tradewind.couplers.regrid.quality.measures import Quality, covered_sources, quality
from tradewind.couplers.regrid.quality.standard_fields import STANDARD_FIELDS, sinusoid
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import SpecError

FRACAREA = {"map_method": "Conservative remapping", "normalization": "fracarea"}
DSTAREA = FRACAREA | {"normalization": "destarea"}
BILINEAR = {"map_method": "Bilinear remapping"}


@pytest.fixture
def quarters() -> Grid:
    """Four equal cells around the equator, 90 degrees wide."""
    return Grid.latlon([0.0], [45.0, 135.0, 225.0, 315.0], lat_bounds=[-30.0, 30.0])


def content(grid: Grid, values: list[float], attributes: dict[str, str], frac: list[float] | None = None):
    """Return weights from each cell to itself."""
    index = np.arange(4)
    frac_b = np.ones(4) if frac is None else np.array(frac)
    return WeightMap(grid, grid, Triplets(index, index, np.array(values), frac_b, 4), attributes)


def test_the_identity_is_perfect(quarters):
    found = quality(content(quarters, [1.0] * 4, FRACAREA))
    assert (found.rows, found.unmapped, found.coverage) == (4, 0, 1.0)
    assert (found.row_sum_error, found.constant_error) == (0.0, 0.0)
    assert found.conservation < 1e-15
    assert (found.negative, found.above_one, found.not_finite) == (0, 0, 0)
    assert all(m.largest == 0.0 for m in found.misfits.values())


def test_misfits_by_hand(quarters):
    # one row in four is 10 % too large: mean 0.025, largest 0.1, rms sqrt(0.01 / 4)
    found = quality(content(quarters, [1.0, 1.0, 1.1, 1.0], BILINEAR)).misfits["vortex"]
    assert found.mean == pytest.approx(0.025)
    assert found.largest == pytest.approx(0.1)
    assert found.rms == pytest.approx(0.05)


def test_row_sums_are_held_to_the_norm(quarters):
    half = [0.5, 1.0, 1.0, 1.0]
    assert quality(content(quarters, half, DSTAREA, frac=half)).row_sum_error == 0.0
    assert quality(content(quarters, half, FRACAREA, frac=half)).row_sum_error == 0.5


def test_diluted_constants_are_divided_by_the_fraction(quarters):
    part = [0.75, 1.0, 1.0, 1.0]
    found = quality(content(quarters, part, DSTAREA, frac=part))
    assert found.constant_error == 0.0
    assert found.misfits["sinusoid"].largest < 1e-15


def test_conservation_by_hand(quarters):
    # all four cells have one area; the first one keeps 2 of 1
    psi = sinusoid(quarters.lon, quarters.lat)
    found = quality(content(quarters, [2.0, 1.0, 1.0, 1.0], DSTAREA), frac_source=np.ones(4))
    assert found.conservation >= psi[0] / psi.sum() - 1e-15


def test_only_cells_covered_by_more_than_half_count_in_conservative_misfits(quarters):
    frac = [0.5, 0.51, 1.0, 1.0]
    assert quality(content(quarters, [1.0] * 4, FRACAREA, frac)).rows == 3


def test_methods_that_do_not_conserve_have_no_conservation(quarters):
    assert quality(content(quarters, [1.0] * 4, BILINEAR)).conservation is None


def test_sums_of_the_nearest_sources_are_held_to_nothing(quarters):
    found = quality(content(quarters, [1.0] * 4, {"ESMF_regrid_method": "Nearest destination to source"}))
    assert (found.row_sum_error, found.constant_error) == (None, None)


def test_negative_large_and_broken_weights_are_counted(quarters):
    found = quality(content(quarters, [-0.1, 1.2, np.nan, 1.0], BILINEAR))
    assert (found.negative, found.above_one, found.not_finite) == (1, 1, 1)


def test_rounding_is_neither_negative_nor_above_one(quarters):
    found = quality(content(quarters, [-1e-14, 1.0 + 1e-14, 1.0, 1.0], BILINEAR))
    assert (found.negative, found.above_one) == (0, 0)


def test_targets_without_weights_are_counted_but_for_masked_ones(quarters):
    triplets = Triplets(np.array([0]), np.array([0]), np.array([1.0]), np.array([1.0, 0, 0, 0]), 4)
    masked = replace(quarters, mask=np.array([True, True, True, False]))
    found = quality(WeightMap(quarters, masked, triplets, BILINEAR))
    assert found.unmapped == 2
    assert found.coverage == pytest.approx(1 / 3)


def test_no_weights_at_all_is_said_and_not_a_crash(quarters):
    nothing = np.zeros(0, dtype=np.int64)
    found = quality(
        WeightMap(quarters, quarters, Triplets(nothing, nothing, np.zeros(0), np.zeros(4), 4), {})
    )
    assert (found.entries, found.rows, found.unmapped, found.coverage) == (0, 0, 4, 0.0)
    assert found.misfits == {}


def test_points_without_areas_count_one_each(quarters):
    points = Grid.points([45.0, 135.0], [0.0, 0.0])
    triplets = Triplets(np.array([0]), np.array([0]), np.array([1.0]), np.array([1.0, 0.0]), 4)
    assert quality(WeightMap(quarters, points, triplets, BILINEAR)).coverage == 0.5


def test_a_regridder_and_its_file_have_the_same_figures(coarse, finer, tmp_path):
    regridder = Regridder.build(coarse, finer, "conservative", backend="native")
    regridder.to_file(tmp_path / "map.nc")
    ours, theirs = quality(regridder).flat(), quality(read_map(tmp_path / "map.nc")).flat()
    assert ours.keys() == theirs.keys()
    assert all(ours[k] == pytest.approx(theirs[k], abs=1e-14) for k in ours)


def test_the_flat_object_holds_everything_and_no_nan(quarters):
    found = quality(content(quarters, [np.nan, 1.0, 1.0, 1.0], BILINEAR)).flat()
    assert found["misfit_mean_vortex"] is None
    assert {
        f"misfit_{what}_{name}" for what in ("mean", "largest", "rms") for name in STANDARD_FIELDS
    } <= set(found)


def test_covered_sources_of_a_target_within_one_cell(quarters):
    inside = Grid.latlon([0.0], [45.0], lat_bounds=[-30.0, 30.0], lon_bounds=[0.0, 90.0])
    assert covered_sources(quarters, inside) == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-14)


def test_weights_on_several_ranks_are_refused(coarse, finer):
    class Several:
        is_serial = False

    regridder = Regridder.build(coarse, finer, "bilinear", backend="native")
    regridder.target = Several()
    with pytest.raises(SpecError, match="several ranks"):
        quality(regridder)


# ---------------------------------------------------------------------- ESMF's published figures
def table(shared: Path) -> dict[str, list[str]]:
    text = (shared / "reference" / "regrid_benchmark.md").read_text()
    rows = [
        [c.strip() for c in line.strip("| ").split("|")] for line in text.splitlines() if line[:2] == "| "
    ]
    return {row[0]: row[1:] for row in rows if re.match(r"[a-f]_", row[0])}


def same(found: float, shown: str) -> bool:
    """Three digits are shown."""
    return found == pytest.approx(float(shown), rel=5.1e-3)


@pytest.mark.shared
def test_all_figures_of_esmf_come_out_of_its_files(shared):
    for case, (rows, *shown) in table(shared).items():
        path = shared / "reference" / "esmf_weights" / f"{case}.nc"
        found = figures(path)
        assert found.rows == int(rows), case
        for cell, misfit in zip(shown[:4], found.misfits.values(), strict=True):
            for ours, theirs in zip(vars(misfit).values(), cell.split("/"), strict=True):
                assert same(ours, theirs), (case, cell)
        assert (found.conservation is None) == (shown[4] == "-"), case
        assert (found.conservation or 0.0) < 1e-14, case


def figures(path: Path) -> Quality:
    with netCDF4.Dataset(path) as ds:
        frac = np.asarray(ds["frac_a"][:])
    return quality(read_map(path), frac if frac.any() else None)


@pytest.mark.shared
def test_cutting_the_sources_anew_finds_the_fractions_of_esmf(shared):
    path = shared / "reference" / "esmf_weights" / "b_permian_conserve_dstarea.nc"
    with netCDF4.Dataset(path) as ds:
        theirs = np.asarray(ds["frac_a"][:])
    found = read_map(path)
    assert np.abs(covered_sources(found.source, found.target) - theirs).max() < 1e-12
