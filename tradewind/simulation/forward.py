"""A forward run: every window from the components' initial state, dealt to the ranks, gathered in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tradewind.accounts import call_records, origin
from tradewind.assembly import Assembly, assemble
from tradewind.assembly.outputs import fields_alarm
from tradewind.budget import Budget
from tradewind.couplers.assimilation import Progress
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import agree
from tradewind.plugins.solvers.windows import owned
from tradewind.results import FieldSeries, SimulationResult
from tradewind.simulation.answers import Answers
from tradewind.simulation.gathering import gathered
from tradewind.simulation.record import Record
from tradewind.simulation.restarts import Begin, NoRestarts, Restarts, restarts_of

if TYPE_CHECKING:
    from tradewind.coupled.run import CoupledRun
    from tradewind.coupled.tape import Port
    from tradewind.couplers.coupling.time.alarms import Alarm


def simulate(
    path: Path | str,
    overrides: Sequence[str] = (),
    comm: object | None = None,
    progress: Progress | None = None,
    begin: Begin = Begin.ANEW,
) -> SimulationResult:
    """Run the models of a run config forward, whatever it says under ``solve:``; writes no output.

    Parameters
    ----------
    path
        The run config.
    overrides
        Settings that replace those of the file.
    comm
        mpi4py communicator, among whose ranks windows are dealt; None: serial. Every rank gets the same
        result, bit for bit that of a serial run.
    progress
        Starts progress bars.
    begin
        Whether to go on from restart files.

    Raises
    ------
    ConfigError
        With every fault of the config, before anything runs; when there is nothing to go on from.
    LedgerError
        When an exchange has lost or made more than its tolerance.
    DataError
        When a restart file is damaged, of another run, or cannot be written.
    """
    assembly = assemble(path, overrides, comm)
    if assembly.config.run.threads is not None:
        torch.set_num_threads(assembly.config.run.threads)
    try:
        return simulate_assembled(assembly, progress, begin)
    finally:
        assembly.finalize()


def simulate_assembled(
    assembly: Assembly, progress: Progress | None = None, begin: Begin = Begin.ANEW
) -> SimulationResult:
    """Run what `assembly` describes; see `simulate`. Every rank enters."""
    asked = [str(field) for field in assembly.config.output.fields]
    answers = Answers(assembly, asked)
    restarts = restarts_of(assembly, begin)
    mine = [assembly.windows[number] for number in owned(assembly.windows, assembly.comm)]
    _load(assembly, restarts, begin, mine)
    with agree(assembly.comm, "simulating windows"):
        steps = len(answers.whole.plan.ticks) * sum((w.stop - w.start) // assembly.clock.step for w in mine)
        advanced = (progress or _silent)("simulate", steps)
        stepper = Stepper(answers, restarts, fields_alarm(assembly), advanced)
        records = [stepper.record(window) for window in mine]
    resumed = sum(assembly.comm.allgather(sum(restarts.found(window) is not None for window in mine)))
    return _result(assembly, answers, records, resumed)


def _silent(name: str, length: int) -> Callable[[], None]:
    return lambda: None


def _load(assembly: Assembly, restarts: NoRestarts, begin: Begin, mine: Sequence[Interval]) -> None:
    """Read what is kept of this rank's windows: all of it before the first step, to refuse it in time."""
    with agree(assembly.comm, "reading the restart files"):
        if isinstance(restarts, Restarts) and begin is Begin.RESUME:
            for window in mine:
                restarts.load(window)


@dataclass
class Stepper:
    """Steps windows one after the other.

    Attributes
    ----------
    rhythm
        When fields are read.
    advanced
        Called after every step.
    """

    answers: Answers
    restarts: NoRestarts
    rhythm: Alarm
    advanced: Callable[[], None]

    def record(self, window: Interval) -> Record:
        """Return what a window gives; goes on from what is kept of it.

        Raises
        ------
        LedgerError
            When an exchange has lost or made more than its tolerance.
        """
        kept = self.restarts.found(window)
        if kept is not None and kept.record.finished:
            return kept.record
        run, record = self.answers.run(window), Record() if kept is None else kept.record
        if kept is None:
            self.answers.start(run, window)
        else:
            self.restarts.restore(run, kept)
        run.ledger.clear()
        with self.answers.watching(run, window, record.seen):
            self._step(run, window, record)
        record.simulated, record.finished = self.answers.simulated(record.seen, window), True
        record.seen.clear()
        self.restarts.save(window, record)
        return record

    def _step(self, run: CoupledRun, window: Interval, record: Record) -> None:
        while run.time < window.stop:
            before, now = run.time, next(run.ticks)
            run.advance(now)
            record.ledger += run.ledger
            run.ledger.clear()
            if self.rhythm.rings(Interval(before, now)):
                record.read(now, {port: run.get(port)[0] for port in self.answers.asked})
            self.advanced()
            if now < window.stop and self.restarts.due(before, now):
                self.restarts.save(window, record, run)


# ---------------------------------------------------------------------- results
def _result(assembly: Assembly, answers: Answers, mine: Sequence[Record], resumed: int) -> SimulationResult:
    records = gathered(assembly, answers.whole, mine)
    ledger = [entry for record in records for entry in record.ledger]
    observe = assembly.observe
    observations = {} if observe is None else observe.windows(assembly.windows)
    return SimulationResult(
        name=assembly.config.source.file.stem,
        windows=assembly.windows,
        budgets=tuple(Budget.of(exchange, ledger) for exchange in assembly.exchanges),
        observations=observations,
        simulated={w: r.simulated for w, r in zip(assembly.windows, records, strict=True)},
        fields=tuple(_series(answers.whole, port, records) for port in answers.asked),
        calls=tuple(call_records(assembly, answers.calls)),
        provenance=origin(assembly),
        notes=tuple(assembly.notes),
        resumed=resumed,
    )


def _series(run: CoupledRun, port: Port, records: Sequence[Record]) -> FieldSeries:
    times = [time for record in records for time in record.times]
    values = [value for record in records for value in record.fields.get(port, ())]
    place = run.ports.output(port)
    empty = torch.zeros(0, *place.inner, dtype=torch.float64)
    return FieldSeries(port, place.variable, times, torch.stack(values) if values else empty)
