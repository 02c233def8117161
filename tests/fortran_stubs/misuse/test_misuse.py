"""Wrong calls in real processes: a named status, traps as they were, and the host goes on."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tradewind.bench.fortran import misuse
from tradewind.bench.fortran.hosts import launcher
from tradewind.bench.fortran.misuse_cases import CASES, Company

LASTING = {"component_misspelled", "closed", "closed_copy", "finalized_twice"}
"""After these there is no session any more that could go on."""
FEW = {
    "short", "block_beyond_end", "real32", "units_unconverted", "character", "nan", "nan_in_bound",
    "nothing_there", "field_misspelled", "component_misspelled", "run_after_some_blocks", "get_before_run",
    "tangent_before_run",
    "grid_too_late", "grid_from_zero_hosts", "host_fails", "host_runs_itself", "time_nan", "restore_damaged",
    "report_disk_full", "whole_corrupt", "whole_unknown_key", "whole_step_raises", "whole_describe_exits",
    "whole_finalize_raises", "closed", "never_opened", "finalized_twice", "alone_without_status",
}  # fmt: skip
PLACES = {"whole_no_python", "whole_no_libpython", "whole_other_library", "whole_bare_python"}


@pytest.fixture(scope="session")
def program(hosting, tmp_path_factory) -> Path:
    """Return the program of all cases, compiled once for an installation."""
    text = b"".join(file.read_bytes() for file in sorted(misuse.sources().glob("*.f90")))
    kept = hosting.prefix / f"misuse-{hashlib.sha256(text).hexdigest()[:16]}"
    if not kept.exists():
        made = misuse.compiled(hosting.prefix, misuse.sources(), tmp_path_factory.mktemp("misuse"))
        # workers of a test run may do so at the same time
        part = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(made, part)
        part.replace(kept)
    return kept


def wrong(outcomes) -> dict[str, object]:
    return {case.name: found for case, found in outcomes.items() if not misuse.is_named(case, found)}


def test_a_wrong_call_is_told_and_the_host_goes_on(program, tmp_path):
    found = misuse.outcomes(program, tmp_path, [case for case in CASES if case.name in FEW])
    assert len(found) == len(FEW)
    assert wrong(found) == {}
    calls = {
        case: outcome for case, outcome in found.items() if "@" not in case.call and case.name not in LASTING
    }
    assert [case.name for case, outcome in calls.items() if not outcome.goes_on] == []


def test_a_python_that_cannot_be_used_is_told(program, tmp_path):
    found = misuse.outcomes(program, tmp_path, [case for case in CASES if case.name in PLACES])
    assert len(found) == len(PLACES)
    assert wrong(found) == {}


@pytest.mark.mpi
@pytest.mark.slow
def test_what_one_rank_does_wrong_is_told_to_all(program, tmp_path):
    if not launcher(2):
        pytest.skip("ranks need an MPI with Fortran: mpifort was not found")
    cases = [case for case in CASES if case.company is Company.TWO and not case.ends]
    found = misuse.outcomes(program, tmp_path, cases)
    assert {case.name: outcome.rank for case, outcome in found.items()} == {case.name: 1 for case in cases}
    assert wrong(found) == {}


@pytest.mark.slow
def test_all_wrong_calls_are_told(hosting):
    cases, named, table = misuse.count(hosting.prefix)
    assert [row for row in table if not row["named"]] == []
    assert cases == named >= 100
