"""Ranks that share the cells of a component get the bits of a serial run, also where they own none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parent / "programs" / "prescribed_on_ranks.py"
WALK = """
def walk(state, random, cells):
    s = state["s"] + random.normal(state["s"]) * cells.lat
    return {"y": s + random.uniform(s)}, {"s": s}
"""


@pytest.mark.mpi
def test_fields_have_the_same_bits_for_any_number_of_ranks(mpiexec, write):
    write(np.sqrt(np.arange(1.0, 9.0)), range(8), name="land.nc")
    (write.folder / "walk.py").write_text(WALK)
    for ranks in (1, 2, 3):
        mpiexec(ranks, PROGRAM, write.folder)
    one, two, three = (dict(np.load(write.folder / f"{ranks}.npz")) for ranks in (1, 2, 3))
    assert {name: value.shape for name, value in one.items()} == dict.fromkeys(one, (3, 2, 6))
    for name, value in one.items():
        alike = one[name.partition("_")[0] + "_blocks"]  # nor does it matter how cells are dealt
        assert np.array_equal(value, alike)
        assert np.array_equal(two[name], value)
        assert np.array_equal(three[name], value)
    assert len(np.unique(one["function_blocks"])) == 36
