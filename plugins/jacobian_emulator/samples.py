"""The training set: what the reference model answers in windows of real and simulated weather."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import torch
from torch import Tensor

from tradewind.errors import ConfigError
from tradewind.plugins.jacobian_emulator.inputs import InputWindows
from tradewind.plugins.jacobian_emulator.weather.climatology import ClimatologicalFlow, MonthlyWinds
from tradewind.plugins.jacobian_emulator.weather.simulated import Simulator
from tradewind.plugins.jacobian_emulator.weather.synoptic import SynopticFlow
from tradewind.plugins.transport.massflux import FlowSource
from tradewind.plugins.transport.model import Transport
from tradewind.plugins.transport.weather import Weather
from tradewind.plugins.transport.windows import Cell, Windows
from tradewind.surrogates.datasets import Samples
from tradewind.surrogates.datasets import Windows as Inputs

HALF = 20
BATCH = 8
STRETCH = 0.9


class WeatherSource(Protocol):
    """Draws situations as long as one window."""

    def draw(self, seed: int) -> Weather:
        """Return one situation; the same seed gives the same weather."""


@dataclass(frozen=True)
class Period:
    """Windows that lie between two times, both included."""

    start: datetime
    stop: datetime

    def ends(self, weather: Weather, length: timedelta) -> list[datetime]:
        """Return the analysis times at which a window within the period can end.

        Raises
        ------
        ConfigError
            When no window fits.
        """
        ends = [t for t in weather.times if self.start + length <= t <= self.stop]
        if not ends:
            raise ConfigError(
                f"no window of {length} fits between {self.start} and {self.stop}", where="samples"
            )
        return ends

    def cut(self, weather: Weather) -> Weather:
        """Return the weather of the period only."""
        kept = [i for i, t in enumerate(weather.times) if self.start <= t <= self.stop]
        fields = {name: getattr(weather, name)[kept] for name in ("u", "v", "pressure")}
        return replace(weather, times=tuple(weather.times[i] for i in kept), **fields)


@dataclass(frozen=True)
class SampleMaker:
    """Asks the reference model what becomes of emissions at random cells.

    Attributes
    ----------
    transport
        The reference model; its region is the one that windows are cut from.
    length
        Length of a window.
    """

    transport: Transport
    length: timedelta

    def real(self, period: Period, per_time: int, seed: int) -> Iterator[Samples]:
        """Yield samples of every window end in `period`, `per_time` random cells each."""
        flows = self.transport.flows
        for number, end in enumerate(period.ends(flows.weather, self.length)):
            yield self.at(flows, end, self.cells(per_time, seed + number))

    def simulated(self, period: Period, situations: int, per_situation: int, seed: int) -> Iterator[Samples]:
        """Yield samples of simulated weather, drawn from the analyses of `period`."""
        weather = period.cut(self.transport.flows.weather)
        simulator = Simulator(weather, self.analyses, 1.2)
        return self.drawn(simulator, situations, per_situation, seed)

    def synoptic(self, period: Period, situations: int, per_situation: int, seed: int) -> Iterator[Samples]:
        """Yield samples of idealised synoptic flow on the points of the weather of `period`."""
        flow = SynopticFlow(period.cut(self.transport.flows.weather), self.analyses)
        return self.drawn(flow, situations, per_situation, seed)

    def climatological(
        self, period: Period, monthly: MonthlyWinds, situations: int, per_situation: int, seed: int
    ) -> Iterator[Samples]:
        """Yield samples of situations around monthly winds, on the points of the weather of `period`."""
        like = period.cut(self.transport.flows.weather)
        flow = ClimatologicalFlow.over(monthly, like, self.analyses)
        return self.drawn(flow, situations, per_situation, seed)

    @property
    def analyses(self) -> int:
        """Analyses that a situation needs to hold one window."""
        times = self.transport.flows.weather.times
        return 1 + round(self.length / (times[1] - times[0]))

    def drawn(
        self, source: WeatherSource, situations: int, per_situation: int, seed: int
    ) -> Iterator[Samples]:
        """Yield samples of drawn situations, `per_situation` random cells each."""
        for number in range(situations):
            weather = source.draw(seed + number)
            flows = FlowSource(weather, self.transport.domain)
            yield self.at(flows, weather.times[-1], self.cells(per_situation, seed + number))

    def cells(self, count: int, seed: int) -> list[Cell]:
        """Draw cells whose windows lie within the region.

        Raises
        ------
        ConfigError
            When the region is smaller than a window.
        """
        free = [n - 2 * HALF for n in self.transport.domain.shape]
        if min(free) < 1:
            raise ConfigError(
                f"a region of {self.transport.domain.shape} cells holds no window of {2 * HALF + 1}",
                where="samples",
            )
        generator = torch.Generator().manual_seed(seed)
        rows, columns = (torch.randint(n, (count,), generator=generator) + HALF for n in free)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def at(self, flows: FlowSource, end: datetime, cells: Sequence[Cell]) -> Samples:
        """Return the samples of windows that end at one time."""
        windows = self._windows(flows, end)
        inputs = InputWindows(flows, HALF, self.length)
        parts = [
            windows.fractions(cells[k : k + BATCH], end, torch.float32) for k in range(0, len(cells), BATCH)
        ]
        return Samples(Inputs(inputs(cells, end), inputs.latitude(cells)), torch.cat(parts))

    def layered(self, end: datetime, cells: Sequence[Cell]) -> Tensor:
        """Return what is in each layer of windows that end at one time, ``(source, layer, 41, 41)``."""
        windows = self._windows(self.transport.flows, end)
        parts = [cells[k : k + BATCH] for k in range(0, len(cells), BATCH)]
        return torch.cat([windows.layered(part, end, torch.float32) for part in parts])

    def _windows(self, flows: FlowSource, end: datetime) -> Windows:
        """Return the windows, with a substep that suits the winds of this weather."""
        windows = Windows(flows, self.transport.solver, HALF, self.length)
        fastest = max(flows.at(i.start).courant() for i in windows.intervals(end))
        substep = min(self.transport.solver.substep, STRETCH / fastest)
        return replace(windows, solver=replace(windows.solver, substep=substep))


def joined(parts: Sequence[Samples]) -> Samples:
    """Return all samples in one set."""
    x, latitude, target = (torch.cat([_part(p)[k] for p in parts]) for k in range(3))
    return Samples(Inputs(x, latitude), target)


def _part(samples: Samples) -> tuple[Tensor, Tensor, Tensor]:
    return samples.windows.x, samples.windows.latitude, samples.target
