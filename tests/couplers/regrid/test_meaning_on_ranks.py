"""Masks, quantities and vectors have the same bits on 1 to 4 ranks, also where ranks own no cell."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "programs" / "meaning_on_ranks.py"
RANKS = (2, 3, 4)
LAYOUTS = ("dealt", "heaped")
METHODS = ("conservative", "bilinear", "nearest_s2d", "nearest_d2s")
KINDS = ("STATE_INTENSIVE", "STATE_EXTENSIVE", "FLUX_INTENSIVE", "FLUX_EXTENSIVE")
FAULTS = {
    "nan": "DataError: MaskedRegridder: 8 values are NaN or infinite",
    "mask": "SpecError: mask: 8 values beyond 0 and 1",
    "function": "DataError: masked_regrid: 8 values are NaN or infinite",
    "pair": "SpecError: VectorRegridder: expected float64",
}
Results = dict[str, np.ndarray]

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def alone() -> Results:
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.results(None)


@pytest.fixture
def on_ranks(mpiexec, tmp_path, request) -> Callable[[int], Results]:
    kept = request.config.stash.setdefault(KEPT, {})

    def run(ranks: int) -> Results:
        if ranks not in kept:
            mpiexec(ranks, PROGRAM, tmp_path / "out.npz")
            with np.load(tmp_path / "out.npz") as found:
                kept[ranks] = dict(found)
        return kept[ranks]

    return run


KEPT = pytest.StashKey[dict[int, Results]]()


def same(one: Results, other: Results, *keys: str) -> bool:
    return all(
        one[key].dtype == other[key].dtype and one[key].tobytes() == other[key].tobytes() for key in keys
    )


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("what", ["forward", "adjoint", "coverage", "function", "slope_x", "slope_m"])
def test_masked_fields_have_the_same_bits(alone, on_ranks, ranks, layout, method, what):
    assert same(alone, on_ranks(ranks), f"{layout}_masked_{method}_{what}")


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("method", METHODS)
def test_vectors_have_the_same_bits(alone, on_ranks, ranks, layout, method):
    name = f"{layout}_vector_{method}"
    assert same(alone, on_ranks(ranks), f"{name}_forward", f"{name}_adjoint")


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_quantities_and_their_ledger_have_the_same_bits(alone, on_ranks, ranks, layout, kind):
    name = f"{layout}_{kind}"
    assert same(
        alone, on_ranks(ranks), *(f"{name}_{what}" for what in ("forward", "adjoint", "left", "arrived"))
    )


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_rank_count_says_the_same_of_areas(alone, on_ranks, ranks, layout, kind):
    assert on_ranks(ranks)[f"{layout}_{kind}_notes"].tolist() == alone[f"{layout}_{kind}_notes"].tolist()


@pytest.mark.parametrize("ranks", [1, *RANKS])
def test_every_adjoint_is_exact_on_ranks(alone, on_ranks, ranks):
    found = alone if ranks == 1 else on_ranks(ranks)
    tests = {key: float(value) for key, value in found.items() if key.endswith("dottest")}
    assert len(tests) == len(LAYOUTS) * (2 * len(METHODS) + len(KINDS))
    assert max(tests.values()) <= 1e-14


@pytest.mark.parametrize("kind", ["FLUX_INTENSIVE", "STATE_EXTENSIVE", "FLUX_EXTENSIVE"])
def test_the_ledger_closes_on_ranks(on_ranks, kind):
    found = on_ranks(3)
    assert found[f"heaped_{kind}_arrived"] == pytest.approx(found[f"heaped_{kind}_left"], rel=1e-13)


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_on_the_last_rank_is_raised_by_all(on_ranks, ranks, fault):
    *others, last = on_ranks(ranks)[f"dealt_fault_{fault}"]
    kind, _, text = FAULTS[fault].partition(": ")
    assert last.startswith(kind)
    assert all(other.startswith(f"RankError: rank {ranks - 1}") and kind in other for other in others)
    assert text.partition(" 8 ")[0] in last
