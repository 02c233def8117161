"""A run that is killed, wherever it is, goes on from its file as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "killed_runs.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_killed_again_and_again_a_run_ends_with_the_same_bits(tmp_path):
    command = [sys.executable, str(PROGRAM), str(tmp_path), "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["kills"] == 20
    # two targets by three exchanges; a mean into steps of 2 and 3 hours, and two of 6, in 60 hours
    assert len(found["whole"]["ledger"]) == 30 + 20 + 2 * 10 + 2 * 10
    assert found["broken"] == found["whole"]
