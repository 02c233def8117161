"""Exchanges in time have the same bits on any number of ranks, and fail on all of them together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "timing_ranks.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.mark.mpi
def test_ranks_share_periods_restarts_and_failures(mpiexec, folder):
    for ranks in (2, 3, 1):
        mpiexec(ranks, PROGRAM, folder)
    found = {ranks: json.loads((folder / f"{ranks}.json").read_text()) for ranks in (1, 2, 3)}
    whole = found[1]["whole"]
    # one entry of the mean every 3 h, two of 6 h each; not of the moving fraction
    assert len(whole["ledger"]) == 4 + 2 + 2
    for ranks, answer in found.items():
        assert answer["whole"] == whole, ranks
        for hour, files in answer["went on"].items():
            for name, again in files.items():
                assert again["total"] == whole["total"], (ranks, name)
                # the file carries what was counted of periods that had not ended
                assert again["ledger"] == whole["ledger"][-len(again["ledger"]) :], (ranks, hour, name)
    assert len(found[1]["went on"]["4"]) == 3
    said = found[1]["loss"][0]
    assert said[0].startswith("LedgerError: land.flux -> air.a, 2000-01-01 00:00/2000-01-01 06:00: of")
    for ranks in (2, 3):
        assert found[ranks]["loss"] == [said] * ranks
        *others, own = found[ranks]["failure"]
        assert own[0] == "ValueError: the model blew up"
        assert {hour for _, hour in (*others, own)} == {found[1]["failure"][0][1]}
        where = f"RankError: rank {ranks - 1}, component 'air', step 2000-01-01 03:00/2000-01-01 06:00"
        assert all(text.startswith(where) and own[0] in text for text, _ in others)
