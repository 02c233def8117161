"""Controls of distributed fields: the same elements, fields and derivatives on any number of ranks."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "programs" / "control_on_ranks.py"


@pytest.fixture(scope="module")
def on_one():
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results(None)


def test_one_rank_has_exact_adjoints_and_names_the_gap(on_one):
    assert on_one["dot"] <= 1e-14
    assert "not finite (nan) in cell 20 of level 1" in str(on_one["refused"])


@pytest.mark.mpi
def test_scattered_cells_and_a_rank_without_any_change_no_bit(mpiexec, tmp_path, on_one):
    mpiexec(3, PROGRAM, tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    for name in ("x", "columns", "cells", "rates", "sigma", "adjoint", "places", "refused"):
        assert np.array_equal(found[name], on_one[name], equal_nan=name == "places"), name
    assert found["dot"] <= 1e-14
