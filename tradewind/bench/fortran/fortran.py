"""``tradewind bench fortran``: every figure of the Fortran interface, recomputed on the spot."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

FTORCH = "TRADEWIND_FTORCH"
"""Environment variable that names an installation of FTorch to be measured beside us."""


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object; those of FTorch are null where it is not installed.

    Raises
    ------
    DataError
        When there is no Fortran compiler, CMake or MPI to build the library with.
    """
    from tradewind.bench.fortran import arrays, derivatives, drivers, memory, misuse, speed

    with TemporaryDirectory() as work:
        prefix = installed(Path(work))
        parts: tuple[Callable[[], dict[str, Any]], ...] = (
            lambda: misuse_figures(misuse.count(prefix)),
            lambda: array_figures(arrays.count(prefix)),
            lambda: derivatives.measured(prefix),
            lambda: drivers.measured(prefix),
            lambda: memory.measured(prefix),
            lambda: speed.measured(prefix, ftorch()),
        )
        found: dict[str, Any] = {}
        step = progress("benchmark fortran", len(parts))
        for part in parts:
            found |= part()
            step()
    return found


def installed(work: Path) -> Path:
    """Build the library with all its engines and return where it is installed.

    Raises
    ------
    DataError
        When a compiler, CMake or an MPI is missing, or the build fails.
    """
    from tradewind.fortran.building import build

    prefix = work / "tradewind"
    build(prefix)
    return prefix


def ftorch() -> Path | None:
    """Return where FTorch is installed: TRADEWIND_FTORCH names it; None without any."""
    named = os.environ.get(FTORCH)
    return Path(named).absolute() if named else None


def misuse_figures(counted: tuple[int, int, Any]) -> dict[str, Any]:
    """Return how many wrong calls were tried, and how many came back with a status that names them."""
    cases, named, table = counted
    return {"misuse_cases": cases, "misuse_named": named, "misuse_table": table}


def array_figures(counted: tuple[int, int]) -> dict[str, Any]:
    """Return how many forms of arrays were tried, and how many arrived as they were."""
    cases, correct = counted
    return {"array_cases": cases, "array_correct": correct}
