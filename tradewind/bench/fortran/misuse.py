"""Wrong calls of a Fortran host: each made in a real process, and what it must be told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tradewind.bench.fortran.hosts import OWN, STRICT, TRAPS, compiler, launcher, said
from tradewind.bench.fortran.misuse_cases import CASES, Case, Company
from tradewind.bench.fortran.misuse_places import environment, furnish
from tradewind.fortran.installation import Installation

SECONDS = 120.0
"""How long the calls of one process may take together before one of them counts as hanging."""
YES = "T"
TOLD = re.compile(r"tradewind: rank (\d+): \w+(?: of \w+)?(?:, \w+)?: (\w+): (.*)")
HARMLESS = "as if nothing had happened"


class Outcome(NamedTuple):
    """What came of a wrong call.

    Attributes
    ----------
    code
        Name of the code that was told; empty where the process came to an end.
    rank
        First rank that failed; -1: none.
    trapping
        Whether the host's floating-point traps were set afterwards.
    together
        Whether all ranks were told the same.
    goes_on
        Whether right calls succeeded afterwards.
    message
        What was told; or how the process ended.
    """

    code: str
    rank: int
    trapping: bool
    together: bool
    goes_on: bool
    message: str


def count(prefix: Path) -> tuple[int, int, list[dict[str, Any]]]:
    """Return how many wrong calls were made, how many were told as they must, and what each was told.

    Parameters
    ----------
    prefix
        Where the library is installed.
    """
    with TemporaryDirectory(prefix="tradewind-misuse-") as work:
        program = compiled(prefix, sources(), Path(work))
        found = outcomes(program, Path(work), possible(CASES))
    rows = [row(case, outcome) for case, outcome in found.items()]
    return len(found), sum(is_named(case, outcome) for case, outcome in found.items()), rows


def possible(cases: Iterable[Case]) -> list[Case]:
    """Return the cases that can be made here: without an MPI for Fortran, those with ranks cannot."""
    return [case for case in cases if launcher(1) or case.company is Company.ALONE]


def row(case: Case, outcome: Outcome) -> dict[str, Any]:
    """Return a row of the table."""
    return {
        "call": case.says, "status": outcome.code or "none", "says": outcome.message or HARMLESS,
        "named": is_named(case, outcome),
    }  # fmt: skip


def is_named(case: Case, outcome: Outcome) -> bool:
    """Return whether a call was told what it must, on all ranks, and has left the host as it was."""
    if outcome.code != case.code or not (outcome.trapping and outcome.together):
        return False
    if case.code == "ok":
        return True
    return bool(outcome.message) and outcome.rank == (-1 if case.code == "closed" else case.rank)


# ---------------------------------------------------------------------- processes
def sources() -> Path:
    """Return the folder of the programs that misuse the library."""
    return Path(str(files("tradewind.fortran_stubs"))) / "misuse"


def outcomes(program: Path, folder: Path, cases: Sequence[Case]) -> dict[Case, Outcome]:
    """Make the calls, those with the same surroundings in one process, and return what came of each."""
    furnish(folder, sources())
    found: dict[Case, Outcome] = {}
    for key, group in groupby(sorted(cases, key=_surroundings), _surroundings):
        together = list(group)
        place = environment(key[1], folder, sources())
        for case, outcome in tried(program, together, Path(folder), place):
            found[case] = outcome
    return {case: found[case] for case in cases}


def _surroundings(case: Case) -> tuple[int, str, bool]:
    return case.company.value, case.environment, case.ends


def compiled(prefix: Path, parts: Path, folder: Path, more: Sequence[str] = ()) -> Path:
    """Compile the program of all cases as strictly as a compiler can, and return it."""
    installation, program = Installation(prefix), folder / "misuse"
    company = "company_mpi.f90" if launcher(1) else "company_none.f90"
    units = [str(parts / name) for name in (company, "wrong_calls.f90", "misuse.f90")]
    flags = [*STRICT, *TRAPS, *more, *installation.cflags()]
    said([compiler(), *flags, *units, *installation.libs(), "-o", str(program)], folder)
    return program


def tried(
    program: Path, cases: Sequence[Case], folder: Path, place: Mapping[str, str]
) -> Iterator[tuple[Case, Outcome]]:
    """Yield what came of calls that are made in one process; the rest in another if one of them ends it."""
    left = list(cases)
    while left:
        done = run(program, left, folder, place)
        lines = dict(_lines(done.stdout))
        for case in [case for case in left if argument(case) in lines]:
            yield case, read(lines[argument(case)])
        left = [case for case in left if argument(case) not in lines]
        if left:
            yield left[0], ended(left.pop(0), done)


def argument(case: Case) -> str:
    """Return a case as the program is told it."""
    call, _, config = case.call.partition("@")
    return f"{call}@{config}{'' if '.' in config else '.yaml'}" if config else call


def run(
    program: Path, cases: Sequence[Case], folder: Path, place: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Make calls in one process, or on two ranks; one that hangs is ended."""
    company = cases[0].company
    ranks = launcher(2) if company is Company.TWO else []
    mpi = [] if company is Company.ALONE else ["--mpi"]
    command, own = [*ranks, str(program), *mpi, *map(argument, cases)], _environment(place)
    try:
        return subprocess.run(
            command, cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as late:
        out = late.stdout or b""
        text = out if isinstance(out, str) else out.decode(errors="replace")
        return subprocess.CompletedProcess(command, -signal.SIGKILL, text, f"hung: ended after {SECONDS:g} s")


def _environment(place: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRADEWIND_")}
    return {**kept, **OWN, **place}


# ---------------------------------------------------------------------- what was told
def _lines(printed: str) -> Iterator[tuple[str, list[str]]]:
    for line in printed.splitlines():
        words = line.split("\t")
        if len(words) == 10:
            yield words[0], words


def read(words: Sequence[str]) -> Outcome:
    """Return the outcome that a line of the program tells."""
    _, _, code, rank, _, _, goes_on, trapping, together, message = words
    return Outcome(
        code, int(rank), trapping == YES, together == YES, goes_on == YES, _without_paths(message.strip())
    )


def ended(case: Case, done: subprocess.CompletedProcess[str]) -> Outcome:
    """Return the outcome of a call that ended its process: what it asked MPI for, a signal, or an exit."""
    told = TOLD.search(done.stderr)
    if case.ends and told and done.returncode > 0:
        return Outcome(told[2], case.rank, True, True, False, _without_paths(told[3]))
    last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
    return Outcome("", -1, False, False, False, f"{how}: {last}")


def _without_paths(message: str) -> str:
    # folders of temporary files are nobody's business
    return re.sub(r"/\S*?/tradewind-misuse-\w+/", "", message)[:300]
