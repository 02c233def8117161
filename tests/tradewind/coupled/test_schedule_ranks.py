"""Both sweeps through exchanges in time, with cells shared between ranks, some of which own none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "schedule_ranks.py"


@pytest.mark.mpi
def test_derivatives_have_the_same_bits_on_any_number_of_ranks(mpiexec, tmp_path):
    found = {}
    for ranks in (1, 2, 3):
        mpiexec(ranks, PROGRAM, tmp_path)
        found[ranks] = json.loads((tmp_path / f"{ranks}.json").read_text())
    digests = found[1]["Keep"]["digests"]
    assert len(digests) == len(set(digests.values())) == 1 + 3 + 4
    for by_kind in found.values():
        for kind in ("Keep", "Checkpoints"):
            assert by_kind[kind]["digests"] == digests
            assert by_kind[kind]["dot"] <= 1e-13
