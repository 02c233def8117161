"""Every mode of the analytical inversion has the same bits on 2, 3 and 4 ranks as without MPI."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.mpi
PROGRAM = Path(__file__).parent / "programs" / "inversions_on_ranks.py"


@cache
def serial() -> dict[str, np.ndarray]:
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results(None)


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow), 4])
def test_every_mode_has_the_same_bits(mpiexec, tmp_path, ranks):
    mpiexec(ranks, PROGRAM, tmp_path / "results.npz")
    with np.load(tmp_path / "results.npz") as found:
        assert found.files == list(serial())
        differ = [name for name in found.files if found[name].tobytes() != serial()[name].tobytes()]
    assert differ == []


def test_the_modes_differ_from_one_another():
    means = {name: serial()[name].tobytes() for name in serial() if name.endswith("_mean")}
    assert len(means) == 8
    # gain gives what the information form does, to rounding; all others are inversions of their own
    assert len(set(means.values())) >= 6
