"""What a loop hands to its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradewind.accounts import call_records, origin
from tradewind.assembly.estimation.targets import ElementTarget, Target
from tradewind.assimilation.beginning import analysed_fields
from tradewind.assimilation.transposing import Transposition
from tradewind.coupled.model import Calls
from tradewind.results import Analysed, AssimilationResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from tradewind.assimilation.loop import EnsembleLoop


def summed_up(loop: EnsembleLoop) -> AssimilationResult:
    """Return the result of the windows up to now; every rank enters."""
    loop.recorder.settle()
    assembly, windows = loop.assembly, loop.assembly.windows[: loop.number]
    method = assembly.config.solve.method if assembly.config.solve is not None else ""
    return AssimilationResult(
        name=assembly.config.source.file.stem,
        method=method,
        windows=windows,
        departures=tuple(loop.recorder.departures),
        fields=tuple(analysed(loop, target) for target in loop.targets) if windows else (),
        members=last_members(loop),
        seconds=_seconds(loop),
        calls=tuple(call_records(assembly, _linearized(loop))),
        provenance=origin(assembly),
        notes=(*assembly.notes, *loop.notes, *_counted(loop)),
    )


def analysed(loop: EnsembleLoop, target: Target) -> Analysed:
    """Return means and spreads of a target."""
    windows, found = loop.assembly.windows[: loop.number], loop.recorder.moments(target.name)
    times = [w.stop for w in windows[-len(found.analysis) :]]
    if isinstance(target, ElementTarget):
        return Analysed(target.port, target.variable, target.grid, target.names, times, *found)
    grid = None if target.layout is None else target.layout.grid
    return Analysed(target.port, target.variable, grid, (), times, *found)


def last_members(loop: EnsembleLoop) -> Mapping[str, Tensor]:
    """Return the last analysis, all members on every rank, by name; every rank enters."""
    move = Transposition(loop.comm, loop.shares.counts)
    return {name: move.everywhere(v) for name, v in analysed_fields(loop.targets, loop.waves).items()}


def _linearized(loop: EnsembleLoop) -> Calls:
    """Return who was asked to linearize: only where members are simulated from x."""
    calls = getattr(getattr(loop.forecaster, "model", None), "calls", None)
    return calls if isinstance(calls, Calls) else Calls()


def _seconds(loop: EnsembleLoop) -> dict[str, float]:
    every = loop.comm.allgather(loop.seconds.parts)
    return {part: sum(own.get(part, 0.0) for own in every) for part in every[0]}


def _counted(loop: EnsembleLoop) -> Iterator[str]:
    if loop.unseen:
        yield f"{loop.unseen} of {loop.number} windows had no observation that could be used: no analysis"
    rejected = sum(int((~d.used).sum()) for d in loop.recorder.departures)
    if rejected:
        total = sum(len(d.y) for d in loop.recorder.departures)
        yield f"{rejected} of {total} observations were rejected by the background check"
    lost = loop.section.members - len(loop.shares.members)
    if lost:
        yield f"{lost} of {loop.section.members} members were given up"
