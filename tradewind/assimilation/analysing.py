"""One analysis: members' fields brought to their cells, handed to the filter, and brought back.

No rank holds more than the states of its own members and all members of its own cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from tradewind.assembly.estimation.targets import ElementTarget, StateTarget, Target
from tradewind.assimilation.failing import mirrored
from tradewind.assimilation.sharing import Bounds, Shares, bounds_of, layout_of, observation_bounds
from tradewind.assimilation.transposing import Transposition
from tradewind.couplers.assimilation import Ensemble, Filter, Observations, WeighsWork
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.ranks.parallel import Communicator

if TYPE_CHECKING:
    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout

SHARED_FROM = 32_768
"""So many observations of a window are held by parts, whatever the number of ranks; fewer by every rank."""
BLOCK = 1024
"""Observations of a part come in whole blocks of so many global numbers."""


class Analysis(NamedTuple):
    """An ensemble before and after, on this rank's cells."""

    before: Ensemble
    after: Ensemble
    observations: Observations
    layouts: Mapping[str, Layout]


class About(NamedTuple):
    """What an analysis is told beside its fields.

    Attributes
    ----------
    rows
        Members that are copies, to be mirrored: positions among all.
    number
        Of the analysis.
    observed
        How many observations there are in all.
    """

    shares: Shares
    rows: tuple[int, ...]
    number: int
    observed: int


@dataclass
class _Dealt:
    """Cells of a grid by rank."""

    bounds: Bounds
    layout: Layout


@dataclass
class Analyst:
    """Analyses ensembles; collective.

    Attributes
    ----------
    filter
        Only analyses.
    targets
        What is analysed.
    comm
        Ranks among whom members and cells are dealt.
    """

    filter: Filter
    targets: Sequence[Target]
    comm: Communicator
    memory: Mapping[str, Any] = field(default_factory=dict)
    _dealt: dict[str, _Dealt] = field(default_factory=dict)
    _levels: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._grids = {t.name: grid for t in self.targets if (grid := grid_of(t)) is not None}
        self._levels = {t.name: levels for t in self.targets if (levels := _levels_of(t)) is not None}

    def analyse(
        self, fields: Mapping[str, Tensor], shown: Tensor, observations: Observations, about: About
    ) -> Analysis:
        """Return the ensemble before and after; every rank enters.

        Parameters
        ----------
        fields
            Of this rank's members, by name of the target, shape ``(mine, *extra, cell)``.
        shown
            What they show, shape ``(mine, m)``.
        observations
            All of the window, on every rank.
        """
        move = Transposition(self.comm, about.shares.counts)
        dealt = self._deal(observations)
        here = {name: mirrored(self._moved(move, name, value), about.rows) for name, value in fields.items()}
        seen, simulated = self._shared(observations, shown, move)
        layouts = {name: part.layout for name, part in dealt.items()}
        before = Ensemble(
            here, mirrored(simulated, about.rows), layouts, self._levels, about.number, self.memory
        )
        after = self.filter.analyse(before, seen) if about.observed else before
        self.memory = after.memory
        return Analysis(before, after, seen, layouts)

    def back(self, analysis: Analysis, shares: Shares) -> dict[str, Tensor]:
        """Return the analysed fields of this rank's members, by name; every rank enters."""
        move = Transposition(self.comm, shares.counts)
        return {
            name: move.to_members(value, self._dealt[name].bounds)
            if name in analysis.layouts
            else move.own(value)
            for name, value in analysis.after.fields.items()
        }

    # ------------------------------------------------------------------ cells
    def _moved(self, move: Transposition, name: str, value: Tensor) -> Tensor:
        known = self._dealt.get(name)
        return move.everywhere(value) if known is None else move.to_cells(value, known.bounds)

    def _deal(self, observations: Observations) -> dict[str, _Dealt]:
        """Return whose cells are whose, by target: of equal work where the filter knows how much it is."""
        weighs = self.comm.size > 1 and isinstance(self.filter, WeighsWork) and len(observations) > 0
        # what a filter remembers of its cells stays where it is
        if len(self._dealt) < len(self._grids) or (weighs and not self.memory):
            found: dict[str, Bounds] = {}
            for name, grid in self._grids.items():
                if grid.fingerprint not in found:
                    about = observations if weighs else None
                    found[grid.fingerprint] = bounds_of(grid, self.comm, self.filter, about)
                self._keep(name, found[grid.fingerprint])
        return self._dealt

    def _keep(self, name: str, bounds: Bounds) -> None:
        known = self._dealt.get(name)
        if known is None or known.bounds != bounds:
            self._dealt[name] = _Dealt(bounds, layout_of(self._grids[name], self.comm, bounds))

    # ------------------------------------------------------------------ observations
    def _shared(
        self, observations: Observations, shown: Tensor, move: Transposition
    ) -> tuple[Observations, Tensor]:
        """Return observations and what all members show of them: all, or where there are many this rank's."""
        m = len(observations)
        if m < SHARED_FROM or not isinstance(observations.covariance, DiagonalCovariance):
            return observations, move.everywhere(shown)
        bounds = observation_bounds(m, BLOCK, self.comm)
        mine = torch.arange(bounds[self.comm.rank], bounds[self.comm.rank + 1])
        part = replace(observations.take(mine), numbers=mine, comm=self.comm)
        return part, move.to_cells(shown, bounds)


def grid_of(target: Target) -> Grid | None:
    """Return where a target lives; None of no place."""
    if isinstance(target, ElementTarget):
        return target.grid
    return None if target.layout is None else target.layout.grid


def _levels_of(target: Target) -> Tensor | None:
    if isinstance(target, StateTarget) and target.variable.levels:
        return torch.tensor(target.variable.levels, dtype=torch.float64)
    return None
