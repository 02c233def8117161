"""Halos, restarts and failures when ranks share the cells of a component."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "diffusion_ranks.py"


@pytest.mark.mpi
def test_a_component_whose_cells_are_shared_answers_as_in_serial(mpiexec, tmp_path):
    for ranks in (2, 1, 3):  # the two save the run that the one and the three go on with
        mpiexec(ranks, PROGRAM, tmp_path)
    one, two, three = (json.loads((tmp_path / f"{ranks}.json").read_text()) for ranks in (1, 2, 3))
    reference = one["plain"]
    assert len(set(reference["digests"])) == 3
    for found in (one, two, three):
        for what in ("plain", "last rank empty", "restart"):
            # answers and tangents to the bit; gradients to rounding, as ranks add what neighbours give back
            assert found[what]["digests"] == reference["digests"], what
            assert found[what]["gradient"] == pytest.approx(reference["gradient"], rel=1e-12), what
            assert found[what]["dot"] <= 1e-12, what
        # between two grids, on which different ranks own nothing, the gradient too is the same to the bit
        assert found["exchanged"]["digests"] == one["exchanged"]["digests"]
        assert found["exchanged"]["dot"] <= 1e-12
        assert found["exchanged"]["ledger"] == one["exchanged"]["ledger"]
    own, *others = sorted(three["failure"], key=lambda text: text.startswith("RankError"))
    assert own == "ValueError: the model blew up"
    assert len(others) == 2
    for other in others:
        assert other.startswith("RankError: rank 1, component 'ring', step 2000-01-01 01:00/2000-01-01 02:00")
        assert own in other
