"""One command's ranks and consoles, and its end: one message, one exit code, no rank left waiting."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from tradewind.commands.failure import Failure, failure_of
from tradewind.commands.launch import Launch, Mpi, world
from tradewind.errors import TradewindError

if TYPE_CHECKING:
    from rich.console import Console

    from tradewind.progress import Silent


class Session:
    """The context of a command: ``with Session(mpi) as session: ...``; leaving it on an error exits.

    A `TradewindError` becomes one message on standard error and exit code 2, anything else that is raised
    exit code 1 and a hint; with `debug` the traceback is shown as well. On several ranks, one of them
    prints, and all exit with the same code.

    Parameters
    ----------
    mpi
        Whether to run on several ranks.
    debug
        Show tracebacks.
    """

    def __init__(self, mpi: Mpi = Mpi.OFF, debug: bool = False) -> None:
        self._mpi, self._debug = mpi, debug
        self._launch = Launch.of(os.environ)
        self._ranks: Ranks | None = None
        self.comm: Any | None = None
        self.rank = 0

    def __enter__(self) -> Session:
        try:
            self.comm = world(self._launch, self._mpi)
        except TradewindError as error:
            self._end_alone(error)
        if self.comm is not None:
            self._ranks, self.rank = Ranks(self.comm), self.comm.Get_rank()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.__exit__(kind, error, trace)
        failure = failure_of(error, self._debug)
        if isinstance(error, BrokenPipeError):
            _close_stdout()
        code = self._ranks.part(failure, self.err) if self._ranks else _told(failure, self.err)
        if code:
            raise SystemExit(code) from None

    def _end_alone(self, error: TradewindError) -> NoReturn:
        # no communicator yet: every process stands here, and the launcher's first one speaks
        if self._launch.rank == 0:
            _told(failure_of(error, self._debug), self.err)
        raise SystemExit(error.exit_code) from None

    @cached_property
    def out(self) -> Console:
        """Console on standard output: colours on a terminal, plain text elsewhere, nothing above rank 0."""
        from rich.console import Console

        return Console(quiet=self.rank > 0)

    @cached_property
    def err(self) -> Console:
        """Console on standard error."""
        from rich.console import Console

        # ranks above 0 are silenced, yet the one that fails alone must be heard
        return Console(file=sys.__stderr__ if self.rank else sys.stderr)

    @cached_property
    def progress(self) -> Silent:
        """Progress bars where there is somebody to see them."""
        from tradewind.progress import progress_bars

        return progress_bars(self.err, self.rank)

    def write(self, text: str) -> None:
        """Write `text` and a line break to standard output as it is, on rank 0."""
        if self.rank == 0:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()


def _told(failure: Failure | None, console: Console) -> int:
    if failure is None:
        return 0
    failure.show(console)
    return failure.code


def _close_stdout() -> None:
    # Python flushes standard output at its end, and would complain about the closed pipe once more
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Ranks:
    """The common end of all ranks of a command.

    Parameters
    ----------
    world
        mpi4py's communicator of all ranks; a duplicate of it keeps the farewell apart from the run.

    Attributes
    ----------
    patience
        Seconds that a failed rank waits for the others to come to an end too, before it ends them.
    """

    patience = 20.0

    def __init__(self, world: Any) -> None:
        self._world, self._comm = world, world.Dup()

    def part(self, failure: Failure | None, console: Console) -> int:
        """Wait for all ranks, let one of them tell what failed, and return the exit code of all.

        A rank that has failed while the others still run would leave them waiting in their next
        collective for ever: when its patience is over, it says so and ends them.
        """
        gathering = self._comm.Ibarrier()
        if failure is None:
            gathering.Wait()
        elif not _comes(gathering.Test, self.patience):
            failure.show(console, self._comm.Get_rank())
            console.file.flush()
            self._world.Abort(failure.code)
        failures: list[Failure | None] = self._comm.allgather(failure)
        speaker = spokesman(failures)
        if speaker == self._comm.Get_rank() and failure is not None:
            failure.show(console, None if _all_alike(failures) else speaker)
        return max((f.code for f in failures if f), default=0)


def _comes(arrived: Callable[[], bool], patience: float) -> bool:
    end = time.monotonic() + patience
    while not arrived():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def spokesman(failures: Sequence[Failure | None]) -> int | None:
    """Return the rank that tells what failed: the first that does not just repeat another's error."""
    failed = [rank for rank, failure in enumerate(failures) if failure]
    own = [rank for rank in failed if not getattr(failures[rank], "echo", False)]
    return next(iter(own or failed), None)


def _all_alike(failures: Sequence[Failure | None]) -> bool:
    return len({f.message if f else None for f in failures}) == 1
