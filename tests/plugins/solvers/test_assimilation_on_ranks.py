"""An assimilation has the same bits on 2 and 3 ranks as without MPI, also on ranks without a window."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.mpi
PROGRAM = Path(__file__).parent / "programs" / "assimilation_on_ranks.py"
RANKS = (2, 3)
KEPT: dict[int, dict[str, np.ndarray]] = {}


@cache
def serial() -> dict[str, np.ndarray]:
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results(None)


@pytest.fixture
def on(mpiexec, tmp_path):
    """Return a function that runs the program on some ranks, once, and gives rank 0's results."""

    def run(ranks: int) -> dict[str, np.ndarray]:
        if ranks not in KEPT:
            mpiexec(ranks, PROGRAM, tmp_path / "results.npz")
            with np.load(tmp_path / "results.npz") as found:
                KEPT[ranks] = dict(found)
        return KEPT[ranks]

    return run


def same(a, b) -> list[str]:
    """Return the names of results that differ in a bit."""
    return [name for name in a if a[name].tobytes() != b[name].tobytes()]


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("windows", ["two", "seven"])
def test_the_inversion_has_the_same_bits(on, ranks, windows):
    expected = {k: v for k, v in serial().items() if k.startswith(windows)}
    assert len(expected) == 24
    assert same(expected, on(ranks)) == []


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("method", ["cg", "gauss_newton", "lbfgs", "envar"])
def test_variational_methods_have_the_same_bits(on, ranks, method):
    expected = {k: v for k, v in serial().items() if k.startswith(f"variational_{method}")}
    assert len(expected) == 4
    assert same(expected, on(ranks)) == []


@pytest.mark.parametrize("ranks", RANKS)
@pytest.mark.parametrize("layout", ["blocks", "strewn"])
@pytest.mark.parametrize("what", ["scaling", "sampling", "filtering"])
def test_operators_and_filter_have_the_same_bits(on, ranks, layout, what):
    expected = {
        k: v for k, v in serial().items() if k.startswith(f"{layout}_{what}") and not k.endswith("dot")
    }
    assert expected
    assert same(expected, on(ranks)) == []


@pytest.mark.parametrize("ranks", RANKS)
def test_adjoints_are_exact_on_ranks(on, ranks):
    found = {k: v for k, v in on(ranks).items() if k.endswith("dot") or k == "halo"}
    assert len(found) == 5
    assert max(float(np.max(v)) for v in found.values()) <= 1e-14


def test_a_failure_on_one_rank_is_raised_by_all(on):
    # two windows on three ranks: the last owns the second, rank 0 owns none
    first, second, third = on(3)["fails_in_one_window"]
    assert third.startswith("DataError: window 2000-01-02")
    assert "simulated observation [0] is nan" in third
    for other in (first, second):
        assert other.startswith("RankError: rank 2")
        assert "DataError" in other


@pytest.mark.parametrize("ranks", RANKS)
def test_all_ranks_refuse_a_problem_without_observations(on, ranks):
    assert len(set(on(ranks)["nobody_has_seen_anything"])) == 1
    assert "there are no observations" in on(ranks)["nobody_has_seen_anything"][0]


@pytest.mark.parametrize("ranks", RANKS)
def test_observations_that_only_another_rank_holds_are_not_lost(on, ranks):
    assert len(on(ranks)["only_the_wrong_rank_has_them"]) == ranks
    assert "its owner 0" in on(ranks)["only_the_wrong_rank_has_them"][0]
