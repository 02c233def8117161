"""Sources in windows of their own: what the reference model answers, for training and comparison.

A window is a square of cells around one emitting cell. The flow is cut out of the whole domain's, so
the winds a window sees are the ones that the model sees; what leaves the window is lost to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

import torch
from torch import Tensor

from tradewind.couplers.coupling.component import Interval
from tradewind.plugins.transport.massflux import Flow, FlowSource
from tradewind.plugins.transport.solver import Solver

Cell: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Windows of ``2 * half + 1`` cells around sources, over the time before an observation.

    Attributes
    ----------
    half
        Cells on each side of the source.
    length
        How long the sources have emitted when the columns are seen.
    """

    flows: FlowSource
    solver: Solver
    half: int
    length: timedelta

    def fractions(self, cells: Sequence[Cell], end: datetime, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the share of the emitted mass that each column of each window holds at `end`.

        Shape ``(source, window, window)``: the sum over the layers of `layered`, which see.
        """
        return self.layered(cells, end, dtype).sum(1)

    def layered(self, cells: Sequence[Cell], end: datetime, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the share of the emitted mass in each layer of each column at `end`.

        Parameters
        ----------
        cells
            Row and column of the sources.

        Returns
        -------
        Tensor
            Shape ``(source, layer, window, window)``; non-negative, sums to at most one.
        """
        width = 2 * self.half + 1
        emission = torch.zeros(len(cells), width, width, dtype=dtype)
        emission[:, self.half, self.half] = 1.0 / self.length.total_seconds()
        tracer = torch.zeros(len(cells), self.solver.domain.layers, width, width, dtype=dtype)
        for interval in self.intervals(end):
            flow = self._cut(self.flows.at(interval.start), cells, dtype)
            tracer = self.solver.advance(tracer, emission, flow, interval)
        return tracer

    def intervals(self, end: datetime) -> list[Interval]:
        """Return the analysis intervals, cut to the time between the start of emission and `end`."""
        edges = [end - self.length, end]
        edges += [t for t in self.flows.weather.times if edges[0] < t < edges[1]]
        edges.sort()
        return [Interval(a, b) for a, b in pairwise(edges)]

    def _cut(self, flow: Flow, cells: Sequence[Cell], dtype: torch.dtype) -> Flow:
        parts = (flow.eastward, flow.northward, flow.upward, flow.air)
        longer = ((0, 1), (1, 0), (0, 0), (0, 0))
        cuts = [
            torch.stack([self._one(part, cell, extra) for cell in cells], dim=1).to(dtype)
            for part, extra in zip(parts, longer, strict=True)
        ]
        return Flow(flow.interval, *cuts)

    def _one(self, part: Tensor, cell: Cell, extra: Cell) -> Tensor:
        width = 2 * self.half + 1
        row, column = cell[0] - self.half, cell[1] - self.half
        return part[..., row : row + width + extra[0], column : column + width + extra[1]]
