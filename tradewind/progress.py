"""Progress bars on whatever lasts over two seconds, on rank 0 of a terminal and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PATIENCE = 2.0


def _nothing() -> None:
    return None


class Silent:
    """Takes note of progress and says nothing."""

    def __call__(self, name: str, length: int) -> Callable[[], None]:
        """Return a function that does nothing."""
        return _nothing

    def __enter__(self) -> Silent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Bars(Silent):
    """Bars on a terminal, one for each task that has run for two seconds; they go when all is done.

    Parameters
    ----------
    console
        Where to draw, by habit on standard error.
    clock
        Returns seconds; only differences matter.
    """

    def __init__(self, console: Console, clock: Callable[[], float] | None = None) -> None:
        self._bars = _patient_bars(console, clock)

    def __call__(self, name: str, length: int) -> Callable[[], None]:
        """Start the task `name` of `length` parts; call what is returned after each part."""
        if length < 1:
            return _nothing
        task = self._bars.add_task(name, total=length)
        self._bars.start()
        return lambda: self._advance(task)

    def _advance(self, task: TaskID) -> None:
        self._bars.advance(task)
        if self._bars.finished:
            self._clear()

    def _clear(self) -> None:
        self._bars.stop()
        for task in self._bars.task_ids:
            self._bars.remove_task(task)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()


def _patient_bars(console: Console, clock: Callable[[], float] | None) -> RichProgress:
    from rich import progress

    class Patient(progress.Progress):
        """Shows a task once it has run for `PATIENCE` seconds, be it between two parts."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield self.make_tasks_table([t for t in self.tasks if (t.elapsed or 0.0) >= PATIENCE])

    return Patient(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        get_time=clock,
    )


def progress_bars(console: Console, rank: int = 0) -> Silent:
    """Return a `Progress` (see `tradewind.couplers.assimilation`) that suits the place; use it in ``with``.

    Parameters
    ----------
    console
        Where to draw; nothing is drawn where it is no terminal.
    rank
        Number of this rank; only rank 0 draws.
    """
    return Bars(console) if rank == 0 and console.is_terminal else Silent()
