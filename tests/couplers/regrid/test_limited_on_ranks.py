"""Limited regridding has the same bits on 1 to 4 ranks, also where ranks own no cell."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "programs" / "limited_on_ranks.py"
WHAT = ("y", "gradient", "tangent", "adjoint", "outside")
Results = dict[str, np.ndarray]

pytestmark = pytest.mark.mpi


@pytest.fixture(scope="module")
def alone() -> Results:
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program.results(None)


@pytest.fixture
def on_ranks(mpiexec, tmp_path):
    def run(ranks: int) -> Results:
        mpiexec(ranks, PROGRAM, tmp_path / "out.npz")
        with np.load(tmp_path / "out.npz") as found:
            return dict(found)

    return run


def test_something_is_limited_and_something_is_not(alone):
    assert 0 < alone["dealt_fracarea_outside"] < 2 * 72


@pytest.mark.parametrize("norm", ["fracarea", "dstarea"])
def test_layouts_and_the_cache_do_not_matter(alone, norm):
    for what in WHAT:
        expected = alone[f"dealt_{norm}_{what}"]
        for name in (f"heaped_{norm}", f"dealt_{norm}_written", f"heaped_{norm}_cached"):
            assert alone[f"{name}_{what}"].tobytes() == expected.tobytes(), (name, what)


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow), 4])
def test_bits_do_not_depend_on_the_ranks(alone, on_ranks, ranks):
    found = on_ranks(ranks)
    same = {k: found[k].tobytes() == v.tobytes() for k, v in alone.items() if not k.endswith("_dot")}
    assert [k for k, equal in same.items() if not equal] == []
    assert max(v for k, v in found.items() if k.endswith("_dot")) <= 1e-14
