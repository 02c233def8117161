"""The coupled example killed again and again while it steps, and carried on: the same file in the end."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from subprocess import DEVNULL, PIPE
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

from tradewind.bench.checkout import python
from tradewind.bench.exchange.example import command
from tradewind.bench.inversion.permian import same_numbers
from tradewind.errors import DataError

KILLS, SEED = 20, 1996
STEPS_BETWEEN = 6
"""At most so many steps are made before a kill; a window has twelve."""
LATER = 0.05
"""Seconds after a step at most, so that kills fall into any part of the next one, writing files included."""
PATIENCE = 120.0
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def figures() -> dict[str, Any]:
    """Return how often the example was killed while it stepped, and how many of these changed no bit."""
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.nc"
        python(arguments(whole, Path(folder) / "uninterrupted"))
        return killed(Path(folder), whole, random.Random(SEED))


def arguments(file: Path, restarts: Path, resume: str = "") -> list[str]:
    """Return Python's arguments for the example with restart files at every step."""
    settings = [f"run.restart.folder={restarts}", "run.restart.every=1h"]
    return [*command(file, settings), *([resume] if resume else [])]


def killed(folder: Path, whole: Path, chance: random.Random, kills: int = KILLS) -> dict[str, Any]:
    """Kill runs until there have been `kills`, and compare what they come to; a run is killed many times."""
    made = same = rounds = 0
    while made < kills:
        round_ = Round(folder / f"round{rounds}.nc", folder / f"round{rounds}", chance)
        done = round_.suffer(kills - made)
        if not done:
            raise DataError("the example is done before it can be killed", where="benchmark")
        made, rounds = made + done, rounds + 1
        same += done * same_numbers(whole, round_.file)
    return {"restart_kills": made, "restart_identical": same, "restart_rounds": rounds}


@dataclass
class Round:
    """One run that is killed and carried on until it is done.

    Attributes
    ----------
    file
        What it writes in the end.
    restarts
        Folder of its restart files, by whose changes its steps are seen.
    """

    file: Path
    restarts: Path
    chance: random.Random
    begun: bool = field(default=False)

    def suffer(self, most: int) -> int:
        """Kill the run up to `most` times, then let it come to its end; return how often it was killed."""
        for kills in range(most):
            if not self.killed_once():
                return kills
        python(arguments(self.file, self.restarts, "--resume"))
        return most

    def killed_once(self) -> bool:
        """Start the run, or carry it on, and kill it after some steps; False when it was faster.

        Raises
        ------
        DataError
            When it fails of itself.
        """
        resume = "--resume" if self.begun else ""
        words = [sys.executable, *arguments(self.file, self.restarts, resume)]
        with subprocess.Popen(words, stdout=DEVNULL, stderr=PIPE, env=os.environ | ONE_THREAD) as run:
            stepping = self._wait_for_steps(run, self.chance.randint(1, STEPS_BETWEEN))
            sleep(self.chance.uniform(0.0, LATER))
            # dead already: it came to its end in the meantime
            if stepping and run.poll() is None:
                run.send_signal(SIGKILL)
            said = run.communicate()[1].decode()
        self.begun = True
        if run.returncode not in {0, -SIGKILL}:
            raise DataError(f"the example failed: {said[-2000:]}", where="benchmark")
        return run.returncode == -SIGKILL

    def _wait_for_steps(self, run: subprocess.Popen[bytes], steps: int) -> bool:
        """Wait until the run has written restart files of so many steps; False when it ends before that."""
        seen, last, until = 0, self._written(), monotonic() + PATIENCE
        while seen < steps:
            if run.poll() is not None:
                return False
            if monotonic() > until:
                run.kill()
                raise DataError(f"no step within {PATIENCE:g} s", where="benchmark")
            sleep(0.001)
            now = self._written()
            seen, last = seen + (now != last), now
        return True

    def _written(self) -> Mapping[str, int]:
        """Return when each restart file was last replaced; those half-written have other names."""
        found = {}
        for path in self.restarts.glob("*.restart"):
            try:
                found[path.name] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # replaced at this moment
        return found
