"""Every filter has the same bits on three ranks, one without cells and without observations, as on one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.mpi
PROGRAM = Path(__file__).parent / "programs" / "filters_on_ranks.py"
KEPT: dict[str, dict[str, np.ndarray]] = {}


@pytest.fixture
def serial() -> dict[str, np.ndarray]:
    if "serial" not in KEPT:
        spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        KEPT["serial"] = module.results(None)
    return KEPT["serial"]


@pytest.fixture
def three(mpiexec, tmp_path) -> dict[str, np.ndarray]:
    if "three" not in KEPT:
        mpiexec(3, PROGRAM, tmp_path / "results.npz")
        with np.load(tmp_path / "results.npz") as found:
            KEPT["three"] = dict(found)
    return KEPT["three"]


@pytest.mark.parametrize("what", ["blocks", "strewn", "work"])
def test_three_ranks_have_the_bits_of_one(serial, three, what):
    names = [name for name in serial if name.startswith(what)]
    assert len(names) == (1 if what == "work" else 49)
    assert [name for name in names if serial[name].tobytes() != three[name].tobytes()] == []


def test_a_rank_without_cells_and_observations_takes_part(three):
    messages, sent, held = three["traffic"].T
    assert messages[0] == sent[0] == 0  # it has nothing to give
    assert held[0] < 1300  # its observations' places are nowhere, but it was given those near its cells
    assert (messages[1:] > 0).all()
    assert (sent[1:] % (8 * 12) == 0).all()  # number, place, height, six members and the innovation


def test_what_one_rank_finds_wrong_all_refuse(three):
    *others, mine = three["fault"]
    assert mine.startswith("DataError: letkf: field 'c' of member 2 is nan at element")
    assert all(other.startswith("RankError: rank 2, letkf: DataError: letkf: field 'c'") for other in others)
