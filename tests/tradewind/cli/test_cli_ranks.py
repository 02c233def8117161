"""Real ranks: one message, one exit code, and nobody is left waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "session.py"
pytestmark = pytest.mark.mpi


def test_success_is_told_once(mpiexec):
    done = mpiexec(3, PROGRAM, "well")
    assert done.stdout.splitlines() == ["rank 0 of 3", "table"]


def test_an_error_of_all_is_told_once(mpiexec):
    done = mpiexec(3, PROGRAM, "everywhere", check=False)
    assert done.returncode == 2
    assert done.stderr.count("error: winds.nc: truncated") == 1


def test_an_agreed_error_is_told_by_the_rank_that_has_it(mpiexec):
    done = mpiexec(3, PROGRAM, "agreed", check=False)
    assert done.returncode == 2
    assert done.stderr.count("error:") == 1
    assert "error: rank 1: winds.nc: truncated" in done.stderr


def test_a_late_error_of_one_is_heard(mpiexec):
    done = mpiexec(2, PROGRAM, "after_the_others_ended", check=False)
    assert done.returncode == 2
    assert done.stderr.count("error: rank 1: winds.nc: truncated") == 1


def test_a_lone_bug_does_not_leave_the_others_waiting(mpiexec):
    done = mpiexec(3, PROGRAM, "others_wait", check=False)
    assert done.returncode != 0
    assert "error: rank 1: unexpected ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_traceback_comes_when_asked_for(mpiexec):
    done = mpiexec(2, PROGRAM, "agreed", "--debug", check=False)
    assert done.stderr.count("Traceback (most recent call last)") == 1


def test_the_command_itself_speaks_once(mpiexec):
    done = mpiexec(2, "-m", "tradewind", "check", "absent.yaml", check=False)
    assert done.returncode == 2
    assert done.stderr.count("absent.yaml") == 1


def test_a_wrong_option_is_told_once(mpiexec):
    done = mpiexec(2, "-m", "tradewind", "check", "--jsn", check=False)
    assert done.returncode == 2
    assert done.stderr.count("No such option") == 1
