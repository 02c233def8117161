"""ESMPy on real ranks: together where its MPI is ours, in a child elsewhere; the same bits either way."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tradewind.couplers import esmf_runs
from tradewind.couplers.esmf_runs import Build
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.scheme import Method, Scheme

PROGRAM = Path(__file__).parent / "programs" / "esmf_on_ranks.py"
RANKS = (1, 2, 3)
pytestmark = [
    pytest.mark.mpi,
    pytest.mark.skipif(importlib.util.find_spec("esmpy") is None, reason="ESMPy is not installed"),
]


@pytest.fixture(scope="module")
def kept() -> dict[int, dict[str, np.ndarray]]:
    return {}


@pytest.fixture
def on_ranks(mpiexec, kept, tmp_path):
    def run(ranks: int) -> dict[str, np.ndarray]:
        if ranks not in kept:
            mpiexec(ranks, PROGRAM, tmp_path / "found.npz")
            with np.load(tmp_path / "found.npz") as found:
                kept[ranks] = dict(found)
        return kept[ranks]

    return run


@pytest.mark.parametrize("ranks", RANKS[1:])
def test_no_bit_depends_on_the_number_of_ranks(on_ranks, ranks):
    one, many = on_ranks(1), on_ranks(ranks)
    assert set(one) == set(many)
    for name in set(one) - {"way"}:
        assert np.array_equal(one[name], many[name]), name


@pytest.mark.parametrize("ranks", RANKS)
def test_a_part_of_the_world_gets_the_same_weights(on_ranks, ranks):
    found = on_ranks(ranks)
    for name in ("row", "col", "value", "frac_target"):
        assert np.array_equal(found[f"half.{name}"], found[f"bilinear.{name}"])


@pytest.mark.parametrize("ranks", RANKS)
def test_esmf_runs_together_where_it_has_our_mpi(on_ranks, ranks):
    if Build.found().comm in {"", "mpiuni"}:
        pytest.skip("this ESMF was built without MPI")
    # seven columns are two for each of three ranks
    assert on_ranks(ranks)["way"] == "together"


def test_the_weights_are_those_of_one_process(on_ranks):
    scheme = Scheme(Method.BILINEAR)
    box = Grid.latlon(np.arange(27.0, 38, 2), np.arange(-109.0, -96, 2))
    wide = Grid.latlon(np.arange(21.0, 45, 2), np.arange(-115.0, -90, 2))
    made = esmf_runs.weights(Layout(box), Layout(wide), scheme)
    found = on_ranks(2)
    for name in ("row", "col", "value", "frac_target"):
        assert np.array_equal(found[f"bilinear.{name}"], getattr(made, name))
