"""What members are run for: the windows of this rank, their errors, and runs through the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Control, ForwardModel, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import Covariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.parallel import agree, ordered_sum
from tradewind.errors import DataError, SpecError
from tradewind.plugins.solvers import windows

Simulated = Mapping[int, Tensor]
"""Simulations ``(k, m)`` of this rank's windows that have observations, by the window's number."""
Failures = Mapping[int, Sequence[int]]
"""Numbers of the windows in which a row of a batch has failed, by row."""


@dataclass(frozen=True)
class Part:
    """A window with observations.

    Attributes
    ----------
    number
        Of the window, in time order.
    start
        How many observations the windows before it hold.
    noise
        R = So + the model's own error at xA.
    """

    number: int
    start: int
    window: Interval
    seen: Observations
    noise: Covariance


class Problem:
    """Observations of all windows, of which this rank simulates its share.

    Every rank of the model's communicator constructs it.

    Parameters
    ----------
    batch
        Members that the model is given at once.

    Raises
    ------
    DataError
        No observations at all; observations that would be lost, are not finite or lack their errors.
    RankError
        When another rank has failed.
    """

    def __init__(
        self, model: ForwardModel, control: Control, observations: ObservationsByWindow, batch: int
    ) -> None:
        windows.refuse_lost(model, observations)
        self.model, self.control, self.batch = model, control, batch
        mine = windows.owned(model.windows, model.comm)
        lengths = np.array([len(observations.get(model.windows[i], windows.NOTHING)) for i in mine])
        every = np.concatenate(model.comm.allgather_array(lengths.astype(np.int64)))
        starts = np.concatenate([[0], np.cumsum(every)])
        self.m = int(starts[-1])
        with agree(model.comm, "observations"):
            self.parts = [
                self._part(i, int(starts[i]), observations[model.windows[i]]) for i in mine if every[i]
            ]

    def _part(self, number: int, start: int, seen: Observations) -> Part:
        window = self.model.windows[number]
        windows.refuse_nan(seen.y, "observation", window)
        noise = windows.noise(self.model, self.control.prior, window, seen)
        return Part(number, start, window, seen, noise)

    def run(self, x: Tensor) -> dict[int, Tensor]:
        """Return what x ``(k, n)`` would show, whatever comes out, in batches of one size on any rank.

        Raises
        ------
        SpecError
            Simulations of another shape than the observations.
        """
        with agree(self.model.comm, "simulating members"):
            return {part.number: self._simulated(part, x) for part in self.parts}

    def _simulated(self, part: Part, x: Tensor) -> Tensor:
        found = torch.cat([self.model(some, part.window).detach() for some in torch.split(x, self.batch)])
        wanted = len(x), len(part.seen)
        if found.shape != wanted:
            what = f"the model simulates {tuple(found.shape)} for members and observations {wanted}"
            raise SpecError(what, where=f"window {part.window}", hint="a model takes batches (member, n)")
        return found

    def failures(self, found: Simulated) -> Failures:
        """Return which rows are not finite, and where: the same on all ranks."""
        bad = [
            (int(row), part.number)
            for part in self.parts
            for row in (~torch.isfinite(found[part.number]).all(1)).nonzero()[:, 0]
        ]
        everywhere = sorted(pair for pairs in self.model.comm.allgather(bad) for pair in pairs)
        return {
            row: [number for other, number in everywhere if other == row]
            for row in {r for r, _ in everywhere}
        }

    def describe(self, row: str, numbers: Sequence[int]) -> str:
        """Return a sentence that says who has failed, and where."""
        more = f" and {len(numbers) - 1} more" if len(numbers) > 1 else ""
        return f"simulations of {row} are not finite in window {self.model.windows[numbers[0]]}{more}"

    def sum(self, of_part: Callable[[Part], Tensor]) -> Tensor:
        """Add up what `of_part` gives for each window, in their order; the same on all ranks."""
        with agree(self.model.comm, "an update"):
            mine = {part.number: of_part(part) for part in self.parts}
        return ordered_sum(self.model.comm, mine)

    def misfits(self, found: Simulated) -> Tensor:
        """Return ``(y - f)ᵀR⁻¹(y - f)`` of every row, shape ``(k,)``."""

        def misfit(part: Part) -> Tensor:
            residual = part.seen.y - found[part.number]
            return (residual * part.noise.solve(residual)).sum(1)

        return self.sum(misfit)

    def prior_cost(self, x: Tensor) -> float:
        """Return ``(x - xA)ᵀSa⁻¹(x - xA)``."""
        increment = x - self.control.prior
        return float(increment @ self.control.covariance.solve(increment))

    def by_window(self, rows: Simulated) -> dict[Interval, Tensor]:
        """Return ``(k, m)`` of every window, those without observations included, on all ranks."""
        k = max(self.model.comm.allgather(max((len(r) for r in rows.values()), default=0)))
        mine = windows.owned(self.model.windows, self.model.comm)
        parts = [rows[i] if i in rows else torch.zeros(k, 0, dtype=torch.float64) for i in mine]
        return dict(windows.by_window(self.model.windows, self.model.comm, parts))


def refuse(problem: Problem, row: str, numbers: Sequence[int], hint: str) -> DataError:
    """Return the error that names who has failed."""
    return DataError(problem.describe(row, numbers), where="the ensemble", hint=hint)
