"""Ranks that share the cells of an external model, and models that are MPI programs themselves."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.external.component import External
from tradewind.plugins.external.options import ExternalOptions

PROGRAM = Path(__file__).parent / "programs" / "external_on_ranks.py"
SPREAD = [6.0, 4.0, 1.0, 0.0, 1.0, 4.0]
"""16 in one of six cells, diffused twice by 1/4: 1, 2, 1 and then 1, 4, 6, 4, 1."""


@pytest.fixture
def launcher():
    """Return the launcher of the MPI that the model is compiled with, which may be another than ours."""
    found = shutil.which("mpiexec")
    if found is None:
        pytest.skip("no mpiexec on the search path")
    return found


@pytest.mark.mpi
def test_ranks_that_share_the_cells_get_what_one_gets(
    mpiexec, box, box_program, ring_program, launcher, tmp_path
):
    for ranks in (1, 2):
        mpiexec(ranks, PROGRAM, box_program, tmp_path, ring_program, launcher)
    one, two = (json.loads((tmp_path / f"{ranks}.json").read_text()) for ranks in (1, 2))
    for found in (one, two):
        for way in ("plain", "last rank empty"):
            assert found[way].pop("dot") <= 1e-12
            elapsed = found[way].pop("elapsed")
            assert elapsed == [[3 * 3600.0] * 2] * len(elapsed)
            assert found[way] == one["plain"], way
        # a launcher within a rank of another
        assert found["ring"] == {"u": SPREAD * 2, "ranks": [2.0, 2.0]}
    assert list((tmp_path / "scratch").glob("box-*")) == []
    own, other = two["failure"]
    assert own.startswith("ModelError: forward run of member 0, 2000-01-01 00:00/2000-01-01 01:00, ")
    assert "ended with exit code 1" in own
    assert other.startswith("RankError: rank 0, running the model: ModelError: forward run of member 0")


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 3])
def test_an_mpi_program_runs_under_its_launcher(ring_program, launcher, tmp_path, scratch, ranks):
    Grid.points(np.arange(6) * 60.0, np.zeros(6)).to_dataset("cf").to_netcdf(tmp_path / "ring.nc")
    (tmp_path / "empty").mkdir()
    state = {"file": "restart.nc", "output": "output.nc", "variable": "U", "units": "1", "initial": 0.0}
    exports = {"file": "output.nc", "variable": "RANKS", "units": "1", "grid": "none"}
    component = External(
        ExternalOptions(
            command=[ring_program],
            launcher=[launcher, "-n", ranks],
            template=tmp_path / "empty",
            grid={"file": tmp_path / "ring.nc"},
            scratch=scratch,
            state={"u": state},
            exports={"ranks": exports},
        )
    )
    spec = component.describe()
    begin = component.initialize(spec, {"u": Layout(spec.state[0].grid)}, 1)
    begin.fields["u"][0, 0] = 16.0
    hour = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 1))
    exports, once = component.step(begin, {}, {}, hour)
    exports, twice = component.step(once, {}, {}, hour)
    assert once.fields["u"].tolist() == [[8.0, 4.0, 0.0, 0.0, 0.0, 4.0]]
    assert torch.equal(twice.fields["u"], torch.tensor([SPREAD], dtype=torch.float64))
    assert exports["ranks"].tolist() == [ranks]
