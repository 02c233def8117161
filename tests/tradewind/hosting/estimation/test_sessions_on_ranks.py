"""Decomposed sessions find what serial ones do, to the bit."""

from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "sessions_on_ranks.py"


@pytest.mark.mpi
def test_decomposed_sessions_are_serial_ones(mpiexec, write_host, tmp_path):
    for name, method in (
        ("solver", "solve: {method: 4dvar, options: {outer: 1, inner: 3}}\n"),
        ("filter", "ensemble: {members: 4}\nsolve: {method: etkf}\n"),
    ):
        Path(write_host(method)).rename(tmp_path / f"{name}.yaml")
    # it fails on the rank that finds a difference
    mpiexec(3, PROGRAM, tmp_path)
    assert (tmp_path / "members3").exists()
