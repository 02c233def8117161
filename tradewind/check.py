"""``tradewind check``: everything that is wrong with a run config, or the plan of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tradewind.assembly import Assembly, assemble
from tradewind.assembly.outputs import fields_alarm, restart_alarm
from tradewind.assembly.sequence import plan_of
from tradewind.config import RunAs
from tradewind.config.sections.solving import EachWindow
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.errors import ConfigError
from tradewind.timetable import spoken, timetable


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes
    ----------
    faults
        Everything that is wrong, each with file and line; none when the run can start.
    lines
        The plan of the run, for a reader.
    """

    faults: tuple[str, ...]
    lines: tuple[str, ...]


def check(path: Path | str, overrides: Sequence[str] = (), comm: object | None = None) -> CheckReport:
    """Build everything that a run config asks for and start nothing.

    Parameters
    ----------
    path
        The run config.
    overrides
        Settings that replace those of the file.
    comm
        mpi4py communicator; None: serial.
    """
    try:
        assembly = assemble(path, overrides, comm)
    except ConfigError as error:
        return CheckReport(error.faults or (str(error),), ())
    return CheckReport((), tuple(plan(assembly)))


def plan(assembly: Assembly) -> Iterator[str]:
    """Yield the run in words: when, who answers, what is exchanged, what is estimated."""
    run = assembly.config.run
    calendar = "" if run.calendar is Calendar.STANDARD else f", {run.calendar} calendar"
    yield f"run        {run.start} to {run.stop}, {len(assembly.clock)} steps of {run.step}{calendar}"
    for name, member in assembly.ordered.items():
        section, step = member.section, f", step {spoken(member.section.step)}" if member.section.step else ""
        answerer = _answerer(section.plugin, section.surrogate, section.run_as)
        yield f"component  {name}: {answerer}{step}"
    for exchange in assembly.exchanges:
        yield f"exchange   {exchange.name}, {_conversion(exchange)}"
    head, *steps = timetable(plan_of(assembly))
    yield f"sequence   {head}"
    yield from (f"{'':11}{line}" for line in steps)
    yield from (f"note       {note}" for note in assembly.notes)
    yield from _inversion(assembly)


def _conversion(exchange: Exchange) -> str:
    factor = f"{exchange.factor:g}" if isinstance(exchange.factor, float) else "a fraction of each cell"
    offset = f"{exchange.offset:g}" if isinstance(exchange.offset, float) else "a fraction of an offset"
    plus = f" plus {offset}" if exchange.has_offset else ""
    return f"{exchange.source.variable.units} times {factor}{plus}"


def _answerer(plugin: str, surrogate: str | None, run_as: RunAs) -> str:
    if run_as is RunAs.REFERENCE:
        return f"{plugin} answers"
    if run_as is RunAs.SURROGATE:
        return f"{surrogate} answers in place of {plugin}"
    if run_as is RunAs.GUARDED:
        return f"{surrogate} answers within its domain, {plugin} elsewhere"
    return f"{plugin} answers, {surrogate} runs in its shadow"


def _inversion(assembly: Assembly) -> Iterator[str]:
    if assembly.observe is not None:
        seen = assembly.observe.windows(assembly.windows)
        count = sum(len(part) for part in seen.values())
        observed = ", ".join(assembly.observe.observes)
        yield f"observes   {observed}: {count} observations, {len(assembly.windows)} windows"
    if assembly.control is not None:
        controlled = ", ".join(assembly.control.targets)
        yield f"control    {controlled}: {len(assembly.control.prior)} elements"
    if assembly.config.solve is not None:
        yield f"solve      {assembly.config.solve.method}"
        yield from _ensemble(assembly)
    else:
        yield from _forward(assembly)


def _ensemble(assembly: Assembly) -> Iterator[str]:
    """Yield what a filter carries."""
    section = assembly.config.ensemble
    if assembly.filter is None or section is None:
        return
    source = "drawn from the prior" if section.file is None else f"from {section.file}"
    waves = "" if section.wave is None else f", in waves of {section.wave}"
    carried = section.begin is EachWindow.CARRIED
    begin = "carried from window to window" if carried else "begun anew in each window"
    yield f"ensemble   {section.members} members {source}{waves}, {begin}"


def _forward(assembly: Assembly) -> Iterator[str]:
    """Yield what a config without a method does."""
    windows, output, restart = assembly.windows, assembly.config.output, assembly.config.run.restart
    how = f"{len(windows)} windows, each" if len(windows) > 1 else "1 window,"
    yield f"forward    {how} from the initial state"
    if output.fields:
        count = sum(1 for _ in fields_alarm(assembly).within(assembly.clock))
        yield f"fields     {', '.join(map(str, output.fields))}: {count} times"
    if restart is not None:
        count = sum(1 for _ in restart_alarm(assembly).within(assembly.clock))
        yield f"restart    {restart.folder}: {count} times"
