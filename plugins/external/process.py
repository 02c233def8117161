"""One run of a program: started without shell, in a process group of its own, of which nothing is left."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypeAlias

from tradewind.errors import ConfigError, ModelError

LOG = "tradewind.log"
"""What the program prints, on either stream."""
LINES, WIDTH = 5, 200
"""How much of it an error repeats."""
GRACE = 5.0
"""Seconds between asking a program to stop and killing it."""
RANK_VARIABLES = (
    "PMI", "PMIX", "OMPI", "MPI", "HYDRA", "HYDI", "PRTE", "I_MPI", "MV2", "PALS", "FLUX",
    "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_STEP", "SLURM_TASK", "SLURM_GTIDS",
    "SLURM_SRUN", "SLURM_LAUNCH", "SLURM_MPI", "SLURM_PMI",
)  # fmt: skip
"""Beginnings of the names by which launchers tell a process that it is a rank; of Slurm's, the job's stay."""

Process: TypeAlias = "subprocess.Popen[bytes]"


class Running:
    """The programs that run at this moment, to be ended together.

    Attributes
    ----------
    over
        Whether they were ended; none can be started any more.
    """

    def __init__(self) -> None:
        self._processes, self._lock, self.over = set[Process](), threading.Lock(), False

    @contextmanager
    def holding(self, start: Callable[[], Process]) -> Iterator[Process]:
        """Start a program, and end it with all that it has started when the body does.

        Raises
        ------
        CancelledError
            When all were ended before.
        """
        with self._lock:
            if self.over:
                raise CancelledError
            process = start()
            self._processes.add(process)
        try:
            yield process
        finally:
            # also after an interrupt; and what a program that has ended has left behind
            end_group(process)
            with self._lock:
                self._processes.discard(process)

    def end(self) -> None:
        """End all programs."""
        with self._lock:
            self.over, processes = True, list(self._processes)
        for process in processes:
            _signal(process, signal.SIGTERM)
        for process in processes:
            end_group(process)


@dataclass(frozen=True)
class Program:
    """A command with everything that it runs under.

    Attributes
    ----------
    words
        Program and arguments.
    environment
        Variables to set, over this process's own without those of an MPI launcher.
    timeout
        Seconds; None: as long as it takes.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None

    def run(self, folder: Path, running: Running | None = None) -> None:
        """Run in `folder` to the end; what it prints goes to a file there.

        Parameters
        ----------
        running
            Others that run at the same time.

        Raises
        ------
        ModelError
            When it cannot be started, ends with another exit code than 0, is killed, or runs out of time;
            the last lines that it printed are in the error.
        CancelledError
            When all were ended.
        """
        running = running or Running()
        with (folder / LOG).open("ab") as log, stopping():
            with running.holding(lambda: self._started(folder, log.fileno())) as process:
                code = self._waited(process, folder)
            if running.over:
                raise CancelledError
        if code:
            raise self._fault(_ended(code), folder)

    def _waited(self, process: Process, folder: Path) -> int:
        try:
            return process.wait(self.timeout)
        except subprocess.TimeoutExpired as error:
            end_group(process)
            what = f"did not end within {self.timeout:g} s and was killed"
            raise self._fault(what, folder, "raise `timeout` if that is too short") from error

    def _started(self, folder: Path, log: int) -> Process:
        try:
            return subprocess.Popen(
                self.words, cwd=folder, env=clean_environment(os.environ) | dict(self.environment),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise self._fault(f"cannot be started: {_why(error)}", folder) from error

    def _fault(self, what: str, folder: Path, hint: str = "") -> ModelError:
        said = last_lines(folder / LOG)
        what = f"{what}; it said last: {said}" if said else what
        return ModelError(what, where=" ".join(self.words), hint=hint)


def find_program(word: str, template: Path) -> str:
    """Return how a program is started in a run directory made from `template`.

    Returns
    -------
    The absolute path of one that is given by path or found on the search path; ``./name`` for a file of the
    template.

    Raises
    ------
    ConfigError
        When there is no such program, or it cannot be executed.
    """
    inside = "/" not in word and (template / word).is_file()
    path = template / word if inside else Path(word)
    if not inside and "/" not in word:
        found = shutil.which(word)
        if found is None:
            hint = f"give its path, or put it into {template}"
            raise ConfigError(f"no program {word!r} in the template or on the search path", hint=hint)
        return found
    if not path.is_file():
        raise ConfigError("there is no such program", where=word, hint="build the model, or mend the path")
    if not os.access(path, os.X_OK):
        raise ConfigError("the program is not executable", where=str(path), hint=f"chmod +x {path}")
    # not resolved: what a program is called may decide what it does
    return f"./{word}" if inside else str(path.absolute())


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what tells a process that it is a rank.

    An MPI program that finds such variables takes itself for a rank of the launcher of its parent, and waits
    for ever.
    """
    return {name: value for name, value in environment.items() if not name.startswith(RANK_VARIABLES)}


def last_lines(path: Path) -> str:
    """Return the last lines of a file, between bars; nothing where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LINES * WIDTH * 4))
        text = file.read().decode(errors="replace")
    lines = [line.strip()[:WIDTH] for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-LINES:])


def end_group(process: Process) -> None:
    """End a program and all that it has started: asked first, so that a launcher can end its ranks."""
    _signal(process, signal.SIGTERM)
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    finally:
        _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextmanager
def stopping() -> Iterator[None]:
    """Turn a request to end this process, as batch systems send it, into an exception: its children end too.

    Only the main thread can; a handler that somebody else has set is left alone.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _ended(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed by signal {-code}"


def _why(error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        return "it is no program, or its first line names no interpreter"
    if error.errno == errno.ENOENT:
        return "the program, or the interpreter that it names, is missing"
    return error.strerror or str(error)
