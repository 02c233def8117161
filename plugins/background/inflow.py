"""Air by the side through which it came in, and by how long it has been inside: the transport's own tracers.

The box gets a ring of cells around it that hold so much air that what flows in from there changes nothing
in them. In the ring of one side the tracer of that side has mixing ratio one, all others have none; the
solver carries them in as it carries all else, donor by donor. Since it keeps a constant mixing ratio
constant, the tracers of all sides add up, cell by cell, to the share of the air that has come in since the
beginning: to one once the box is flushed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import pad

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.calendars import Time
from tradewind.plugins.transport.domain import Domain
from tradewind.plugins.transport.massflux import Flow, FlowSource, substeps
from tradewind.plugins.transport.solver import Solver

SIDES = ("north", "east", "south", "west")
HEMISPHERES = ("northern", "southern")
RESERVOIR = 2.0**90
"""Air of a column of the ring, kg: what a column loses in years, under 1e20 kg, is beyond its last bit."""
PIECE = 3600.0
"""Seconds between two additions of the time that air has been inside."""
AROUND = (1, 1, 1, 1)


@dataclass(frozen=True)
class Inflow:
    """The march of the tracers, from the beginning on.

    Attributes
    ----------
    flows, solver
        The transport's own.
    begin
        When air begins to come in; the box holds no tracer.
    hemispheres
        Numbers of those in which the time that air has spent inside is counted.
    """

    flows: FlowSource
    solver: Solver
    begin: Time
    hemispheres: tuple[int, ...]

    def until(self, times: Sequence[Time]) -> Iterator[tuple[Time, Tensor]]:
        """Yield what the layers hold at each of some ascending times, which the bits depend on.

        Yields
        ------
        time
            One of `times`.
        ratios
            Shape ``(4 + hemisphere, layer, lat, lon)``: the share of the air that came in through each side
            (north, east, south, west), and for each of `hemispheres` the mean time that air has spent inside
            and there, s.
        """
        tracer = self._empty()
        now = self.begin
        for time in times:
            for piece in self._pieces(now, time):
                tracer = self._advanced(tracer, piece)
            now = time
            yield time, self._ratios(tracer, time)

    def _pieces(self, start: Time, stop: Time) -> Iterator[Interval]:
        if start == stop:
            return
        edges = [start, *(t for t in self.flows.weather.times if start < t < stop), stop]
        for a, b in pairwise(edges):
            yield from substeps(Interval(a, b), PIECE)

    def _empty(self) -> Tensor:
        """Return the ring's tracers around an empty box, kg, ``(tracer, layer, lat + 2, lon + 2)``."""
        count = len(SIDES) + len(self.hemispheres)
        held = surrounded(self.flows.at(self.begin), self.solver.domain.thickness).air[0]
        tracer = torch.zeros(count, *held.shape, dtype=torch.float64)
        inner, first, last = slice(1, -1), slice(0, 1), slice(-1, None)
        edges = ((last, inner), (inner, last), (first, inner), (inner, first))
        for side, (rows, columns) in enumerate(edges):
            tracer[side, :, rows, columns] = held[:, rows, columns]
        return tracer

    def _advanced(self, tracer: Tensor, piece: Interval) -> Tensor:
        flow = surrounded(self.flows.at(piece.start), self.solver.domain.thickness)
        nothing = torch.zeros_like(tracer[:, 0])
        tracer = self._aged(tracer, self.flows.at(piece.start), piece.start, 0.5 * piece.seconds)
        tracer = self.solver.advance(tracer, nothing, flow, piece)
        return self._aged(tracer, self.flows.at(piece.start), piece.stop, 0.5 * piece.seconds)

    def _aged(self, tracer: Tensor, flow: Flow, time: Time, seconds: float) -> Tensor:
        """Add the time to the air of each hemisphere, kg s: half before the step and half after it."""
        air, shares = flow.air_at(time), hemisphere_shares(self.solver.domain)
        for number, which in enumerate(self.hemispheres, len(SIDES)):
            tracer[number, :, 1:-1, 1:-1] += seconds * air * shares[which][:, None]
        return tracer

    def _ratios(self, tracer: Tensor, time: Time) -> Tensor:
        i, _ = self.flows.weather.bracket(time)
        return tracer[..., 1:-1, 1:-1] / self.flows.between(i).air_at(time)


def surrounded(flow: Flow, thickness: Tensor) -> Flow:
    """Return a flow on the box and a ring around it that holds very much air, which does not move itself.

    Parameters
    ----------
    flow
        On ``(layer, lat, lon)``.
    thickness
        Fraction of the air in each layer, which the ring has too, so that mixing leaves it alone.
    """
    around = pad(torch.zeros_like(flow.air), AROUND, value=1.0)
    ring = around * (RESERVOIR * thickness)[:, None, None]
    east, north, up = (pad(part, AROUND) for part in (flow.eastward, flow.northward, flow.upward))
    return Flow(flow.interval, east, north, up, pad(flow.air, AROUND) + ring)


def hemisphere_shares(domain: Domain) -> Tensor:
    """Return the share of each row that lies north, and south, of the equator, shape ``(2, lat)``."""
    sines = [math.sin(math.radians(edge)) for edge in domain.lat_edges.tolist()]
    north = [(max(b, 0.0) - max(a, 0.0)) / (b - a) for a, b in pairwise(sines)]
    shares = torch.tensor(north, dtype=torch.float64)
    return torch.stack([shares, 1.0 - shares])


def ticks(start: Time, stop: Time, step: timedelta) -> list[Time]:
    """Return the times from `start` to `stop`, `step` apart, both included."""
    return [start + k * step for k in range((stop - start) // step + 1)]
