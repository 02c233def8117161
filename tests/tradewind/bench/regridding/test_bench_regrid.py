"""The benchmark of regridding: its parts on small grids, what it does without ESMPy or reference data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tradewind.bench import checkout, timing
from tradewind.bench.regridding import adjoints, grid_pairs, memory, misfits, parity, reference, regrid, speed
from tradewind.bench.regridding.reference import Reference, Row, scheme_of
from tradewind.couplers.regrid.mapfile import WeightMap, read_map, write_map
from tradewind.couplers.regrid.quality.measures import Misfit, quality
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.errors import DataError

KEYS = {
    "parity_weight_error_max", "parity_pattern_mismatches", "parity_cases", "dot_test_max",
    "conservation_max", "constant_max", "misfit_excess_max", "weights_speedup_conservative",
    "weights_speedup_bilinear", "weights_speedup_rotated", "apply_speedup_1", "apply_speedup_40",
    "bandwidth_fraction", "cache_speedup", "misuse_cases", "misuse_caught", "peak_gib_10m",
}  # fmt: skip
MISFITS = "1e-02 / 2e-01 / 4e-02 | 6e-03 / 1e-01 / 1e-02 | 3e-03 / 3e-01 / 1e-02"
TABLE = f"""
| case | rows | sinusoid | harmonic | vortex | gulfstream | conservation |
|---|---|---|---|---|---|---|
| a_conserve_dstarea | 12 | 1e-03 / 2e-02 / 3e-03 | {MISFITS} | 1.4e-16 |
| x->y bilinear | 7 | 1.0e-03 / 2e-02 / 3e-03 | {MISFITS} | - |
"""


def silent(name: str, length: int):
    return lambda: None


# ---------------------------------------------------------------------- keys
def test_every_figure_has_a_part_that_computes_it():
    assert {key for part in regrid.parts() for key in part.keys} >= KEYS


def test_what_cannot_be_had_is_null_and_said(monkeypatch):
    monkeypatch.setattr(Reference, "found", classmethod(lambda cls: None))
    monkeypatch.setattr(regrid, "find_spec", lambda name: None)
    parts = [regrid.Part(("parity_cases",), regrid._parity), regrid.Part(("x",), lambda progress: {"x": 1})]
    monkeypatch.setattr(regrid, "parts", lambda: parts)
    found = regrid.figures(silent)
    assert (found["parity_cases"], found["x"]) == (None, 1)
    assert found["absent"] == [regrid.NO_ESMPY, regrid.NO_REFERENCE]


def test_a_bug_is_not_taken_for_something_absent(monkeypatch):
    def broken(progress):
        raise ZeroDivisionError

    monkeypatch.setattr(regrid, "parts", lambda: [regrid.Part(("x",), broken)])
    with pytest.raises(ZeroDivisionError):
        regrid.figures(silent)


def test_misfits_without_reference_data_are_an_error(monkeypatch):
    monkeypatch.setattr(Reference, "found", classmethod(lambda cls: None))
    with pytest.raises(DataError, match="TRADEWIND_SHARED"):
        misfits.figures(silent)


# ---------------------------------------------------------------------- reference
def test_the_table_is_read_whole(tmp_path):
    (tmp_path / "regrid_benchmark.md").write_text(TABLE)
    found = Reference(tmp_path).table
    assert list(found) == ["a_conserve_dstarea", "x->y bilinear"]
    assert found["a_conserve_dstarea"].misfits["sinusoid"] == Misfit(1e-3, 2e-2, 3e-3)
    assert (found["x->y bilinear"].rows, found["x->y bilinear"].conservation) == (7, None)


@pytest.mark.parametrize(
    ("case", "scheme"),
    [
        ("a_ll5_to_4x5_conserve_2nd", Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA)),
        ("b_permian_conserve_fracarea", Scheme(Method.CONSERVATIVE, Norm.FRACAREA)),
        ("e_C12_to_5_conserve_2nd_dstarea", Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA)),
        ("f_ll5_to_points_nearest_stod", Scheme(Method.NEAREST_S2D, Norm.DSTAREA)),
        ("ll144x143->ll360x180 bilinear", Scheme(Method.BILINEAR, Norm.DSTAREA)),
    ],
)
def test_names_of_cases_mean_schemes(case, scheme):
    assert scheme_of(case) == scheme


def test_reference_data_are_found_by_the_environment(tmp_path, monkeypatch):
    (tmp_path / "reference" / "esmf_weights").mkdir(parents=True)
    monkeypatch.setenv("TRADEWIND_SHARED", str(tmp_path))
    assert Reference.found() == Reference(tmp_path / "reference")


@pytest.mark.shared
def test_all_twenty_cases_and_fifteen_more_are_there(shared):
    found = Reference(shared / "reference")
    assert len(found.files) == 20
    assert len(found.table) == 35


# ---------------------------------------------------------------------- grids
def test_equal_angles_begin_at_greenwich_and_the_south_pole():
    grid = grid_pairs.equal_angle(8, 4)
    assert (grid.lon[0], grid.lat[0]) == (22.5, -67.5)
    assert grid.area.sum() == pytest.approx(4 * np.pi)


def test_half_polar_cells():
    grid = grid_pairs.half_polar()
    assert grid.shape == (91, 144)
    assert grid.lat[[0, 144, -1]] == pytest.approx([-89.5, -88.0, 89.5])
    assert grid.lon[0] == -180.0
    assert grid.area.sum() == pytest.approx(4 * np.pi)


def test_a_turned_grid_covers_the_globe_with_the_same_areas():
    pole = (198.0, 39.25)
    turned = grid_pairs.rotated(12, 6, pole)
    assert turned.periodic
    assert turned.area == pytest.approx(grid_pairs.equal_angle(12, 6).area, abs=1e-12)
    # the last row surrounds the new pole
    top = turned.centres[-12:].mean(axis=0)
    assert np.rad2deg(np.arcsin(top[2] / np.linalg.norm(top))) == pytest.approx(pole[1])
    assert np.rad2deg(np.arctan2(top[1], top[0])) % 360 == pytest.approx(pole[0])


# ---------------------------------------------------------------------- parity
@pytest.fixture
def case(tmp_path) -> Path:
    """A weight file of our own, in place of ESMF's."""
    path = tmp_path / "z_small_conserve_fracarea.nc"
    pair = grid_pairs.equal_angle(8, 4), grid_pairs.equal_angle(6, 3)
    Regridder.build(*pair, "conservative", backend="native").to_file(path)
    return path


def changed(path: Path, **parts: np.ndarray) -> Path:
    from dataclasses import replace

    content = read_map(path)
    weights = replace(content.weights, **parts)
    write_map(path, WeightMap(content.source, content.target, weights, content.attributes))
    return path


def test_our_own_file_is_equal(case):
    found = parity.parity(case)
    assert found.weight_error < 1e-14
    assert found.pattern_mismatches == 0


def test_a_weight_that_differs_is_seen(case):
    value = read_map(case).weights.value.copy()
    value[5] += 1e-3
    assert parity.parity(changed(case, value=value)).weight_error == pytest.approx(1e-3)


def test_an_entry_that_is_missing_is_seen(case):
    weights = read_map(case).weights
    parts = {name: getattr(weights, name)[1:] for name in ("row", "col", "value")}
    assert parity.parity(changed(case, **parts)).pattern_mismatches == 1


def test_dust_is_ignored(case):
    value = read_map(case).weights.value.copy()
    parts = read_map(case).weights
    far = int(np.setdiff1d(np.arange(32), parts.col[parts.row == 0])[-1])
    more = {
        "row": np.concatenate([[0], parts.row]), "col": np.concatenate([[far], parts.col]),
        "value": np.concatenate([[1e-12], value]),
    }  # fmt: skip
    assert parity.parity(changed(case, **more)).pattern_mismatches == 0


# ---------------------------------------------------------------------- misfits
def _compared(ours: float, theirs: float) -> misfits.Compared:
    grid = grid_pairs.equal_angle(12, 6)
    found = quality(Regridder.build(grid, grid_pairs.equal_angle(8, 4), "bilinear", backend="native"))
    scale = {
        name: Misfit(m.mean * theirs, m.largest * theirs, m.rms * theirs) for name, m in found.misfits.items()
    }
    return misfits.Compared("x->y bilinear", found, Row(found.rows, scale, None))


def test_the_excess_is_a_fraction_of_theirs():
    assert _compared(1.0, 1.0).excess == 0.0
    assert _compared(1.0, 0.5).excess == pytest.approx(1.0)
    assert _compared(1.0, 2.0).excess == pytest.approx(-0.5)


def test_flat_keys_hold_both_sides_and_no_nesting():
    found = _compared(1.0, 1.0).flat()
    assert found["x_y_bilinear_esmf_vortex_mean"] == found["x_y_bilinear_tradewind_vortex_mean"]
    assert len(found) == 1 + 2 * 4 * 3 + 2
    assert not [v for v in found.values() if isinstance(v, dict)]


def test_constants_under_patch_are_counted_apart():
    assert misfits.Compared("a patch", _compared(1.0, 1.0).ours, Row(3, {}, None)).is_patch
    assert not _compared(1.0, 1.0).is_patch


# ---------------------------------------------------------------------- times, ranks, memory
def test_the_fastest_of_all_rounds_counts_and_preparing_does_not():
    order = []

    def prepare():
        order.append("prepare")
        return lambda: order.append("work")

    found = timing.fastest({"a": prepare}, rounds=2)
    assert order == ["prepare", "work"] * 2
    assert 0.0 <= found["a"] < 1.0


def test_a_product_moves_matrix_and_fields_once():
    pair = grid_pairs.equal_angle(8, 4), grid_pairs.equal_angle(6, 3)
    regridder = Regridder.build(*pair, "conservative", backend="native")
    matrix = regridder.weights
    expected = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes + 8 * 40 * (32 + 18)
    assert speed._moved(regridder, 40) == expected


@pytest.fixture
def small(monkeypatch) -> grid_pairs.GridPair:
    """Everything small and once, ESMPy absent."""
    pair = grid_pairs.GridPair(lambda: grid_pairs.equal_angle(24, 12), lambda: grid_pairs.equal_angle(16, 8))
    monkeypatch.setattr(speed, "LARGE", pair)
    monkeypatch.setattr(speed, "CASES", {name: (pair, s) for name, (_, s) in speed.CASES.items()})
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "APPLIED", 1)
    monkeypatch.setattr(speed, "find_spec", lambda name: None)
    return pair


def test_without_esmpy_ratios_are_null_and_times_are_there(small):
    found = speed.measured()
    ratios = {key for key in KEYS if "speedup" in key}
    assert {key for key, value in found.items() if value is None} >= ratios
    assert all(found[f"weights_seconds_{name}_tradewind"] > 0 for name in speed.CASES)
    assert found["bandwidth_fraction"] > 0
    json.dumps(found, allow_nan=False)


def test_with_esmpy_ratios_are_theirs_over_ours(small, monkeypatch):
    class Stand:
        def store(self): ...
        def release(self): ...
        def put(self, values): ...
        def apply(self): ...
        def result(self, into): ...

    monkeypatch.setattr(speed, "_stored", lambda pair, scheme: Stand())
    found = speed.measured()
    for name in speed.CASES:
        theirs, ours = (found[f"weights_seconds_{name}_{side}"] for side in ("esmpy", "tradewind"))
        assert found[f"weights_speedup_{name}"] == pytest.approx(theirs / ours)
    assert found["apply_speedup_40"] == pytest.approx(
        found["apply_ms_40_esmpy"] / found["apply_ms_40_tradewind"]
    )


def test_every_method_norm_and_mask_has_a_dot_test():
    names = [f"{s}" for s in adjoints.schemes()]
    assert {
        "conservative, fracarea",
        "conservative, dstarea",
        "conservative_2nd, dstarea",
        "bilinear",
        "patch",
    } <= set(names)
    assert len(names) == len(set(names))


def test_adjoints_are_exact_with_every_mask(monkeypatch):
    monkeypatch.setattr(adjoints, "schemes", lambda: iter([Scheme(), Scheme(Method.BILINEAR)]))
    found = adjoints.dot_tests(None)
    assert len(found) == 6
    assert max(found.values()) < 1e-14


def test_masks_cut_into_both_grids():
    grid = grid_pairs.equal_angle(12, 6)
    holes = adjoints._with_holes(grid, 0)
    assert 0 < holes.mask.sum() < grid.size


def test_peak_memory_is_that_of_this_process():
    assert 0.05 < memory.peak_gib() < 64
    memory.regrid_once(8, 4)


@pytest.mark.mpi
def test_dot_tests_run_on_real_ranks(mpiexec, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "from tradewind.bench.regridding import adjoints\n"
        "from tradewind.couplers.regrid.scheme import Scheme\n"
        "adjoints.schemes = lambda: iter([Scheme()])\n"
        "adjoints.main()\n"
    )
    found = json.loads(mpiexec(2, program).stdout)
    assert len(found) == 3
    assert max(found.values()) < 1e-14


def test_children_run_where_they_are_told(tmp_path):
    assert checkout.python(["-c", "import os; print(os.getcwd())"], folder=tmp_path).strip() == str(tmp_path)


@pytest.mark.shared
def test_one_case_of_esmf_is_reproduced(shared):
    (path,) = [p for p in Reference(shared / "reference").files if p.stem == "b_permian_conserve_fracarea"]
    found = parity.parity(path)
    assert found.pattern_mismatches == 0
    assert found.weight_error <= 1e-10
    assert parity.apply_error(path, Reference(shared / "reference").applied) <= 5e-15


def test_longer_names_of_methods_go_before_shorter_ones():
    words = list(reference.WORDS)
    assert words.index("conserve_2nd") < words.index("conserve")
