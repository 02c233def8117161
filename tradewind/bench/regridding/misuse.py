"""``tradewind bench misuse``: wrong calls of regridding, and what comes of each here and in ESMPy."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any

from tradewind.errors import TradewindError

if TYPE_CHECKING:
    from tradewind.bench.regridding.misuse_cases import Case
    from tradewind.couplers.assimilation import Progress

SECONDS = 60.0
"""How long a call of ESMPy may take before it counts as hanging."""
ABSENT = "no such call"
ON_RANKS = {"some_ranks"}
"""Cases that are about several ranks."""
NOTES = {"zeros": "are 0", "missing": "are NaN"}
ROUNDING = 1e-9


def figures(progress: Progress) -> dict[str, Any]:
    """Return how many calls are caught, and what comes of each: ``CASE_tradewind`` and ``CASE_esmpy``.

    ``CASE_esmpy`` is None where ESMPy is not installed, or its ESMF has no MPI and the case needs it.
    """
    from tradewind.bench.regridding.misuse_cases import CASES

    step = progress("benchmark misuse", len(CASES))
    found: dict[str, Any] = {**counts()}
    for case in CASES:
        found |= {f"{case.name}_says": case.says, f"{case.name}_tradewind": here(case)}
        found[f"{case.name}_esmpy"] = in_esmpy(case.name)
        step()
    return found


def counts() -> dict[str, int]:
    """Return how many wrong calls there are, and how many are caught."""
    from tradewind.bench.regridding.misuse_cases import CASES

    return {"misuse_cases": len(CASES), "misuse_caught": sum(caught(case) for case in CASES)}


def caught(case: Case) -> bool:
    """Return whether a wrong call ends in an error of ours, or in the right result.

    Errors of a finished regridder must name both grids.
    """
    from tradewind.bench.regridding.misuse_cases import UNSAID, source, target

    try:
        return case.wrong() != UNSAID
    except TradewindError as error:
        text = str(error)
        return not case.applied or all(repr(grid) in text for grid in (source(), target()))


def here(case: Case) -> str:
    """Return what comes of a wrong call, in words."""
    try:
        return case.wrong()
    except TradewindError as error:
        # folders of temporary files are nobody's business
        text = re.sub(rf"{re.escape(gettempdir())}/\w+/", "", str(error))
        return f"raised {type(error).__name__}: {text}"


def in_esmpy(name: str, launch: Callable[[str], str] | None = None) -> str | None:
    """Return what comes of the same call with ESMPy, in words; None where it cannot be tried."""
    from tradewind.bench.regridding.misuse_esmpy import CALLS

    if find_spec("esmpy") is None:
        return None
    if name not in CALLS:
        return ABSENT
    if name in ON_RANKS and not _has_ranks():
        return None
    return (launch or tried)(name)


def _has_ranks() -> bool:
    from tradewind.bench.checkout import can_launch
    from tradewind.couplers.esmf_runs import Build

    return Build.found().comm not in {"", "mpiuni"} and can_launch()


def tried(name: str) -> str:
    """Make a call with ESMPy in a process of its own, in a folder of its own."""
    from tradewind.bench.checkout import launcher
    from tradewind.couplers.esmf_runs import child_environment

    ranks = launcher(2) if name in ON_RANKS else []
    command = [*ranks, sys.executable, "-m", "tradewind.bench.regridding.misuse_esmpy", name]
    with (
        TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=folder, env=child_environment(), text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as running,
    ):  # fmt: skip
        try:
            said = running.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            # the launcher passes it on to its ranks
            os.killpg(running.pid, signal.SIGTERM)
            return f"hung: ended after {SECONDS:g} s"
    return in_words(subprocess.CompletedProcess(command, running.returncode, *said))


def in_words(done: subprocess.CompletedProcess[str]) -> str:
    """Return what came of a process that made one call: raised, crashed, or what it returned."""
    if done.returncode < 0:
        return f"crashed: signal {-done.returncode}"
    if done.returncode:
        return f"raised {_last_line(done.stderr)}"
    return returned(json.loads(_last_line(done.stdout)))


def _last_line(text: str) -> str:
    errors = [line for line in text.strip().splitlines() if ": " in line and not line.startswith((" ", "["))]
    last = (errors or [text.strip() or "nothing said"])[-1]
    return " ".join(last.removeprefix("esmpy.util.exceptions.").split())


def returned(found: dict[str, Any]) -> str:
    """Return an outcome in words: sources lie between 1 and 2, so that is where results belong."""
    if found["left"]:
        return "returned what was in memory before"
    notes = [f"{found[key]} of {found['cells']} {word}" for key, word in NOTES.items() if found[key]]
    if "low" not in found:
        return f"returned no number: {', '.join(notes)}"
    if found["zeros"] == found["cells"]:
        return "returned 0 everywhere"
    what = f"returned values from {found['low']:.4g} to {found['high']:.4g}"
    if not notes and found["low"] >= 1 - ROUNDING and found["high"] <= 2 + ROUNDING:
        notes = ["as if nothing were wrong"]
    return ", ".join([what, *notes])
