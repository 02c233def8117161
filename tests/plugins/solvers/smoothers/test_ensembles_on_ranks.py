"""Smoothers and chains have the same bits on 2 ranks as without MPI, one of them with two windows."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.mpi
PROGRAM = Path(__file__).parent / "programs" / "ensembles_on_ranks.py"


def test_the_same_bits_on_ranks_and_every_rank_is_told_of_a_failure(mpiexec, tmp_path):
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    serial = module.results(None)
    mpiexec(2, PROGRAM, tmp_path / "results.npz")
    with np.load(tmp_path / "results.npz") as found:
        parallel = dict(found)
    assert [k for k in serial if k != "fault" and serial[k].tobytes() != parallel[k].tobytes()] == []
    assert "extrapolated" in serial["mended_notes"][0]
    first, second = parallel["fault"]
    assert first == second == serial["fault"][0]
    assert "not finite in window 2000-01-03" in first
