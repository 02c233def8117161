"""Memory of a Fortran host: what sessions and steps leave behind, and what sanitizers and valgrind say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tradewind.bench.fortran import misuse
from tradewind.bench.fortran.hosts import OWN, STRICT, TRAPS, compiler, said
from tradewind.bench.fortran.misuse import sources
from tradewind.bench.fortran.misuse_cases import CASES, Case, Company
from tradewind.bench.fortran.misuse_places import furnish
from tradewind.fortran.installation import Installation

CYCLES, STEPS = 2000, 110_000
SANITIZERS = "address,undefined"
OWN_FRAME = re.compile(r"libtradewind|/fortran_stubs/")
"""Whose leaks are counted. Python and its packages are never unloaded, so what they hold at the end of a
process is theirs; a leak of ours has our library on its stack."""
HELD = re.compile(r"tw_python_enroll")
"""What Python objects hold, and free when they go: those of the last sessions wait for the garbage collector
when the process ends, and LeakSanitizer does not look into Python's own arenas."""
LEAKS = re.compile(r"\n(?=(?:Direct|Indirect) leak of )")
VALGRIND_ERRORS = re.compile(r"ERROR SUMMARY: (\d+) errors")


def measured(prefix: Path) -> dict[str, Any]:
    """Return how the resident size grows, and what sanitizers find; None where they cannot be tried.

    Parameters
    ----------
    prefix
        Where the library is installed.
    """
    with TemporaryDirectory(prefix="tradewind-memory-") as work:
        found: dict[str, Any] = growth(prefix, Path(work))
    with TemporaryDirectory(prefix="tradewind-sanitized-") as work:
        found |= sanitized(Path(work))
    with TemporaryDirectory(prefix="tradewind-valgrind-") as work:
        found["valgrind_errors"] = valgrind(prefix, Path(work))
    return found


def compiled(prefix: Path, folder: Path, library: str = "tradewind") -> Path:
    """Compile the program that opens sessions and steps on, and return it.

    Parameters
    ----------
    library
        Which of the installed ones it is linked with.
    """
    installation, program = Installation(prefix), folder / f"memory_{library}"
    source = sources() / "memory.f90"
    libs = [word.replace("-ltradewind", f"-l{library}") for word in installation.libs()]
    command = [
        compiler(),
        "-g",
        *STRICT,
        *TRAPS,
        *installation.cflags(),
        str(source),
        *libs,
        "-o",
        str(program),
    ]
    said(command, folder)
    return program


# ---------------------------------------------------------------------- resident size
def growth(prefix: Path, folder: Path) -> dict[str, float]:
    """Return how much the resident size grows by 1000 sessions and by 100 000 steps, KiB.

    What comes before is warming up: garbage of the first few hundred sessions is collected once, when Python
    thinks that it is worth while.
    """
    furnish(folder, sources())
    program = compiled(prefix, folder)
    sessions, steps = marks(program, folder, "sessions", CYCLES), marks(program, folder, "steps", STEPS)
    half = len(sessions) // 2 - 1
    return {
        "rss_growth_kib_per_1000_cycles": sessions[-1] - sessions[half],
        "rss_growth_kib_per_100000_steps": steps[-1] - steps[0],
    }


def marks(program: Path, folder: Path, what: str, count: int) -> list[int]:
    """Return the resident size after every tenth of so many sessions or steps, KiB."""
    return [int(line) for line in said([str(program), what, str(count), "run.yaml"], folder).split()]


# ---------------------------------------------------------------------- sanitizers
def sanitized(folder: Path) -> dict[str, int | None]:
    """Return what AddressSanitizer and UndefinedBehaviorSanitizer find in all wrong calls of one process.

    Returns
    -------
    dict
        ``sanitizer_errors``: reports of either; ``sanitizer_leaks``: memory of ours that is lost.
    """
    from tradewind.fortran.building import build

    prefix = folder / "tradewind"
    options = [f"-DTRADEWIND_SANITIZE={SANITIZERS}", "-DTRADEWIND_FROZEN=OFF", "-DTRADEWIND_NUOPC=OFF"]
    build(prefix, options)
    furnish(folder, sources())
    program = misuse.compiled(prefix, sources(), folder, (f"-fsanitize={SANITIZERS}",))
    return findings(run(program, [*map(misuse.argument, sound())], folder))


def sound() -> list[Case]:
    """Return the cases that are made in one process, in sound surroundings."""
    return [case for case in CASES if case.company is Company.ALONE and not case.environment]


def run(program: Path, words: Sequence[str], folder: Path) -> str:
    """Return what a program with sanitizers has to say."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TRADEWIND_")}
    own = {
        "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        **OWN,
    }
    done = subprocess.run(
        [str(program), *words], cwd=folder, env=kept | own, capture_output=True, text=True, check=False
    )
    return done.stderr


def findings(said_: str) -> dict[str, int | None]:
    """Return the counts of a text that sanitizers have written."""
    lost = [text for text in LEAKS.split(said_)[1:] if OWN_FRAME.search(text)]
    leaks = [text for text in lost if not HELD.search(text)]
    errors = said_.count("runtime error:") + said_.count("ERROR: AddressSanitizer")
    return {"sanitizer_errors": errors, "sanitizer_leaks": len(leaks)}


# ---------------------------------------------------------------------- valgrind
def valgrind(prefix: Path, folder: Path) -> int | None:
    """Return how many errors and leaks valgrind finds in a host without Python; None without valgrind."""
    if shutil.which("valgrind") is None:
        return None
    (folder / "pond.fields").write_text(POND)
    program = compiled(prefix, folder, "tradewind_stub")
    command = ["valgrind", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible"]
    done = subprocess.run(
        [*command, str(program), "steps", "20", "pond.fields"], cwd=folder, env=_plain(os.environ),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = VALGRIND_ERRORS.search(done.stderr)
    return int(found[1]) if found else None


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith(("TRADEWIND_", "LD_"))}


POND = """\
tradewind fields 1
policy return
component pond
import inflow kg real64 4
parameter rate kg-1 real64 -
export level kg2 real64 4 0
"""
