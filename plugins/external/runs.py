"""One answer of a model: a fresh run directory for every attempt, filled, run, read and removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ModelError, NotDifferentiableError, TradewindError
from tradewind.plugins.external.directory import (
    copy_template,
    mark,
    refuse_missing,
    render_files,
    rendered_files,
    run_directory,
    said_again,
)
from tradewind.plugins.external.files import Place, read, write
from tradewind.plugins.external.memory import Kept
from tradewind.plugins.external.options import DerivativeOptions, ExternalOptions, RestartFile
from tradewind.plugins.external.placeholders import NAMES, render, text_of
from tradewind.plugins.external.process import Program, Running, find_program, stopping

if TYPE_CHECKING:
    from tradewind.plugins.external.files import Array

FORWARD, ADJOINT, TANGENT = "forward", "adjoint", "tangent"
"""What the placeholder ``{mode}`` stands for."""


@dataclass(frozen=True)
class Task:
    """One member's step, or its derivative.

    Attributes
    ----------
    given
        What is written before the program starts, in our units.
    wanted
        What is read when it has ended.
    memory
        Restart files to put in.
    takes
        Restart files to take out.
    """

    mode: str
    member: int
    interval: Interval
    given: Mapping[Place, Array]
    wanted: tuple[Place, ...]
    memory: Kept | None = None
    takes: tuple[RestartFile, ...] = ()

    @property
    def values(self) -> dict[str, object]:
        """What placeholders stand for."""
        seconds = self.interval.seconds
        whole = int(seconds) if seconds.is_integer() else seconds
        found = (self.interval.start, self.interval.stop, whole, self.member, self.mode)
        return dict(zip(NAMES, found, strict=True))

    @property
    def outputs(self) -> set[str]:
        """Names of the files that the program has to write."""
        return {place.file for place in self.wanted} | {f.output or f.file for f in self.takes}

    def __str__(self) -> str:
        return f"{self.mode} run of member {self.member}, {self.interval}"


@dataclass(frozen=True)
class Outcome:
    """What a program has answered.

    Attributes
    ----------
    memory
        Its restart files, where it takes any.
    """

    fields: dict[Place, Array] = field(default_factory=dict)
    memory: Kept | None = None


@dataclass(frozen=True)
class Runner:
    """Runs tasks as the options say."""

    options: ExternalOptions
    # the netCDF library takes one thread at a time
    _files: Lock = field(default_factory=Lock, repr=False, compare=False)

    def run_all(self, tasks: Sequence[Task]) -> list[Outcome]:
        """Return the outcomes of `tasks`, so many at once as the options say; when one fails, all end.

        Raises
        ------
        TradewindError
            As `run` does.
        """
        if self.options.at_once == 1 or len(tasks) == 1:
            return [self.run(task) for task in tasks]
        running = Running()
        with ThreadPoolExecutor(self.options.at_once) as pool, stopping():
            futures = [pool.submit(self.run, task, running) for task in tasks]
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                # none is left, unless one has failed or this process is to end
                for future in futures:
                    future.cancel()
                running.end()
        return [future.result() for future in _failed(futures) or futures]

    def run(self, task: Task, running: Running | None = None) -> Outcome:
        """Return the outcome of `task`, from its last attempt.

        Parameters
        ----------
        running
            Programs that run at the same time.

        Raises
        ------
        ModelError
            When the program has failed as often as it may.
        TradewindError
            When a run directory cannot be made, or what the program has written cannot be used.
        """
        attempts = self.options.retries + 1
        for _ in range(attempts - 1):
            try:
                return self._attempt(task, running, again=(ModelError,))
            except ModelError:
                continue
        try:
            return self._attempt(task, running)
        except ModelError as error:
            times = f", after {attempts} attempts" if attempts > 1 else ""
            raise said_again(error, where=f"{task}{times}") from error

    def check(self) -> None:
        """Refuse what no run can be made of: programs, templates, placeholders; starts nothing.

        Raises
        ------
        TradewindError
            On the first fault.
        """
        from datetime import datetime, timedelta

        start = datetime(2000, 1, 1)
        refuse_missing(self.options.template)
        derivatives = {ADJOINT: self.options.adjoint, TANGENT: self.options.tangent}
        for mode in (FORWARD, *(mode for mode, program in derivatives.items() if program is not None)):
            task = Task(mode, 0, Interval(start, start + timedelta(hours=1)), {}, ())
            self._program(task)
            for name in rendered_files(self.options.template, self.options.rendered):
                render(text_of(self.options.template / name), task.values, name)

    def _attempt(
        self, task: Task, running: Running | None, again: tuple[type[TradewindError], ...] = ()
    ) -> Outcome:
        name = Path(self._command(task.mode)[0]).name
        prefix = f"{name}-{task.mode}-{task.interval.start:%Y%m%dT%H%M}-member{task.member}"
        try:
            with run_directory(self.options.scratch, prefix, self.options.keep, again) as run:
                self._fill(run, task)
                self._program(task).run(run, running)
                memory = Kept.of_run(run, task.takes, self.options.scratch) if task.takes else None
                with self._files:
                    return Outcome(read(run, task.wanted), memory)
        except ModelError:
            raise
        except TradewindError as error:
            raise said_again(error, where=str(task)) from error

    def _fill(self, run: Path, task: Task) -> None:
        copy_template(self.options.template, run)
        render_files(run, rendered_files(self.options.template, self.options.rendered), task.values)
        if task.memory is not None:
            task.memory.put(run)
        with self._files:
            write(run, list(task.given.items()), self.options.netcdf)
        mark(run, task.outputs)

    def _program(self, task: Task) -> Program:
        template = self.options.template
        launcher, command = self._launcher(task.mode), self._command(task.mode)
        words = [find_program(part[0], template) for part in (launcher, command) if part]
        rendered = [[render(word, task.values, word) for word in part[1:]] for part in (launcher, command)]
        first = (words[0], *rendered[0]) if launcher else ()
        return Program((*first, words[-1], *rendered[1]), self.options.environment, self.options.timeout)

    def derivative(self, mode: str) -> DerivativeOptions:
        """Return the settings of the program for a derivative.

        Raises
        ------
        NotDifferentiableError
            When there is none.
        """
        found = {ADJOINT: self.options.adjoint, TANGENT: self.options.tangent}[mode]
        if found is None:
            hint = f"give the command of its {mode} under `{mode}`"
            raise NotDifferentiableError(f"the model has no {mode}", where=self.options.command[0], hint=hint)
        return found

    def _command(self, mode: str) -> tuple[str, ...]:
        return self.options.command if mode == FORWARD else self.derivative(mode).command

    def _launcher(self, mode: str) -> tuple[str, ...]:
        own = None if mode == FORWARD else self.derivative(mode).launcher
        return self.options.launcher if own is None else own


def _failed(futures: Sequence[Future[Outcome]]) -> list[Future[Outcome]]:
    """Return those that have failed of themselves, not because others did."""
    ended = [future for future in futures if not future.cancelled() and future.exception() is not None]
    return [future for future in ended if not isinstance(future.exception(), CancelledError)]
