"""The loop: window by window, members are stepped, their observations compared, and all of it analysed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tradewind.assembly.estimation.targets import StateTarget, parts_of, targets_of
from tradewind.assimilation.analysing import About, Analyst
from tradewind.assimilation.beginning import Beginning, analysed_fields, take_back
from tradewind.assimilation.failing import settled
from tradewind.assimilation.forecasting import Forecaster, FromX, Stepping, Through, shown_nothing
from tradewind.assimilation.recording import Noise, Put, Recorder
from tradewind.assimilation.screening import Screen
from tradewind.assimilation.sharing import Shares, deal_members
from tradewind.assimilation.storing import store_of
from tradewind.config.sections.solving import EachWindow, EnsembleSection, Means
from tradewind.couplers.assimilation import Progress
from tradewind.errors import ConfigError

if TYPE_CHECKING:
    from tradewind.assembly import Assembly
    from tradewind.assimilation.waves import Wave
    from tradewind.couplers.assimilation import Control, Filter, ObservationOperator
    from tradewind.couplers.coupling.component import Interval
    from tradewind.results import AssimilationResult


def assimilate(assembly: Assembly, progress: Progress | None = None) -> AssimilationResult:
    """Run the loop of the filter that `assembly` describes; writes nothing. Every rank enters.

    Raises
    ------
    ConfigError
        When the config has no filter, ensemble, control or observations.
    ModelError
        When a member has failed, and ``ensemble.failure`` is to stop, or too few are left.
    """
    loop = EnsembleLoop(assembly)
    advanced = (progress or _silent)("assimilate", len(assembly.windows))
    for window in assembly.windows:
        loop.cycle(window)
        advanced()
    return loop.result()


def _silent(name: str, length: int) -> Callable[[], None]:
    return lambda: None


@dataclass
class Seconds:
    """Wall-clock seconds by part of the loop."""

    parts: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, begin: float) -> float:
        """Count what was done since `begin`; return what the clock says now."""
        now = perf_counter()
        self.parts[part] = self.parts.get(part, 0.0) + now - begin
        return now


class EnsembleLoop:
    """Members and where they stand: `cycle` takes them through a window and its analysis.

    Members are dealt to the ranks of the assembly's communicator, see docs/ensembles.md. Bits do not
    depend on how many ranks there are.

    Parameters
    ----------
    assembly
        With a filter, an ensemble, a control and observations.

    Attributes
    ----------
    shares
        Which members are left, and who holds them.
    waves
        This rank's members.
    number
        Of analyses made so far.
    notes
        What a user should know: failures, windows without observations.

    Raises
    ------
    ConfigError
        When the assembly lacks one of these.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly, self.comm = assembly, assembly.comm
        parts = _parts(assembly)
        self.section, self.control, self.observe, filter_ = parts
        self.targets = targets_of(assembly, self.section.begin)
        seed = assembly.config.run.seed if self.section.seed is None else self.section.seed
        self.analyst = Analyst(filter_, self.targets, self.comm)
        self.recorder = Recorder(self.section.means is Means.EVERY, Noise(seed))
        self.screen = Screen.of(assembly)
        self.store = store_of(self.section.folder)
        self.seconds, self.number = Seconds(), 0
        self.notes: list[str] = []
        self.forecaster = self._forecaster()
        self.observations = self.observe.windows(assembly.windows)
        self.shares: Shares = deal_members(self.section.members, self.section.wave, self.comm.size)
        begin = Beginning(
            self.section, self.control, self.targets, self.comm, seed, assembly.windows[0]
        )  # fmt: skip
        self.waves: list[Wave] = begin.waves(self.shares, assembly.run)
        self.unseen = 0

    def cycle(self, window: Interval) -> None:
        """Take all members through a window, and analyse them at its end; every rank enters.

        Raises
        ------
        ModelError
            When members have failed, and the loop is to stop or cannot go on.
        """
        with torch.no_grad():
            begin = perf_counter()
            through = [self._through(wave, window) for wave in self.waves]
            self.seconds.add("forecast", begin)
            self.close(through, window)

    def close(self, through: Sequence[Through], window: Interval) -> None:
        """Analyse members that stand at a window's end; every rank enters, without gradients.

        Parameters
        ----------
        through
            What came of this rank's waves.

        Raises
        ------
        ModelError
            When members have failed, and the loop is to stop or cannot go on.
        """
        outcome = settled(through, self.shares, self.section.failure, window, self.comm)
        self.waves, self.shares = outcome.waves, outcome.shares
        self.notes += outcome.notes
        members = self.shares.members
        rows = tuple(members.index(member) for member in outcome.mirrored)
        shown = outcome.shown[0] if len(outcome.shown) == 1 else self._joined(outcome.shown, window)
        self._analyse(window, shown, rows)
        self.number += 1

    def _through(self, wave: Wave, window: Interval) -> Through:
        if not wave.ids:
            return Through(wave, shown_nothing(self.observe, window), [])
        through = self.forecaster.forecast(wave, window)
        self.store.keep(through.wave)
        return through

    def _joined(self, shown: list[Tensor], window: Interval) -> Tensor:
        return torch.cat([shown_nothing(self.observe, window), *shown])

    def _analyse(self, window: Interval, shown: Tensor, rows: tuple[int, ...]) -> None:
        begin, seen, rejected = perf_counter(), self.observations[window], None
        fields = analysed_fields(self.targets, self.waves)
        if self.screen is not None:
            seen, shown, rejected = self.screen.screened(seen, shown, self.shares, rows)
        observed = len(seen)
        if not observed:
            self.unseen += 1
        about = About(self.shares, rows, self.number, observed)
        analysis = self.analyst.analyse(fields, shown, seen, about)
        take_back(self.targets, self.waves, self.analyst.back(analysis, self.shares))
        for wave in self.waves:
            self.store.keep(wave)
        begin = self.seconds.add("analysis", begin)
        self.recorder.add(Put(window, self.number, analysis, observed, rejected))
        self._note_details(window, analysis.after.details)
        self.seconds.add("record", begin)

    def _note_details(self, window: Interval, details: Mapping[str, object]) -> None:
        said = details.get("notes", ())
        if isinstance(said, tuple | list):
            self.notes += [f"window {window}: {note}" for note in said]

    def result(self) -> AssimilationResult:
        """Return what came of the windows up to now; every rank enters and gets the same."""
        from tradewind.assimilation.summing import summed_up

        return summed_up(self)

    # ------------------------------------------------------------------ parts
    def _forecaster(self) -> Forecaster:
        if self.section.begin is EachWindow.INITIAL:
            return FromX(self.assembly.model(), self.observe)
        states = {target.port for target in self.targets if isinstance(target, StateTarget)}
        parts = [part for part in parts_of(self.control) if part.target not in states]
        return Stepping(self.assembly.run, self.observe, parts, self.section.limits)


def _parts(assembly: Assembly) -> tuple[EnsembleSection, Control, ObservationOperator, Filter]:
    found = {
        "ensemble:": assembly.config.ensemble,
        "control:": assembly.control,
        "observations:": assembly.observe,
        "a filter under solve:": assembly.filter,
    }
    missing = [name for name, part in found.items() if part is None]
    section, control, observe, filter_ = found.values()
    if section is None or control is None or observe is None or filter_ is None:
        what, where = f"the loop of a filter needs {missing[0]}", str(assembly.config.source.file)
        raise ConfigError(what, where=where, hint="see docs/ensembles.md")
    return section, control, observe, filter_  # type: ignore[return-value]
