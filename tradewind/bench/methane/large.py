"""An inversion of 10 000 native cells by a million soundings, in a process of its own; it prints its figures.

The transport is made up, its shape is not: an observation sees what of the 41 x 41 cells around it lies
upwind, within 60 degrees, or next to it, and the wind is another one in every window.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation import Observations, Posterior
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, Replicated
from tradewind.couplers.ranks.parallel import Communicator, Serial
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.testing.model import VectorControl, days

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE, REACH, NEAR = 100, 20, 3
WINDOWS, SOUNDINGS = 125, 8000
SIGMA, PRIOR_ERROR, SEED = 15.0, 0.5, 7
BATCH = 256
"""Rows at a time: pieces that the allocator keeps, which is quicker than asking the system for each."""
GIB = 1024.0**2
"""Kilobytes, as the system counts them."""


class Around(LinearOperator):
    """Each observation sees the cells around its own, weighted by a plume.

    Parameters
    ----------
    plume
        Sensitivities by distance in rows and columns, shape ``(2 REACH + 1, 2 REACH + 1)``.
    cells
        Cell of each observation, shape ``(m,)``.
    """

    def __init__(self, plume: NDArray[np.float64], cells: NDArray[np.int64]) -> None:
        self.plume, self.cells = plume, cells
        self.domain, self.range = Replicated(SIDE**2), Replicated(len(cells))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is seen, shape ``(..., m)``."""
        from scipy.ndimage import correlate

        fields = x.numpy().reshape(-1, SIDE, SIDE)
        seen = [correlate(each, self.plume, mode="constant").reshape(-1)[self.cells] for each in fields]
        return torch.from_numpy(np.stack(seen)).reshape(*x.shape[:-1], len(self.cells))

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the sums over what sees each cell, shape ``(..., n)``."""
        flat = y.numpy().reshape(-1, len(self.cells))
        out = np.zeros((len(flat), SIDE, SIDE))
        for k, seen in np.argwhere(flat):
            row, column = divmod(int(self.cells[seen]), SIDE)
            (inside, across), (above, beside) = zip(*map(_overlap, (row, column)), strict=True)
            out[k, inside, across] += flat[k, seen] * self.plume[above, beside]
        return torch.from_numpy(out.reshape(*y.shape[:-1], SIDE**2))


def _overlap(middle: int) -> tuple[slice, slice]:
    """Return which cells of a line lie within reach, and which part of the plume that is."""
    begin, end = max(0, middle - REACH), min(SIDE, middle + REACH + 1)
    return slice(begin, end), slice(begin - middle + REACH, end - middle + REACH)


@dataclass
class Wide:
    """A forward model whose windows are as many draws of plumes and places."""

    windows: Sequence[Interval] = field(default_factory=lambda: days(WINDOWS))
    comm: Communicator = field(default_factory=Serial)

    def __call__(self, x: Tensor, window: Interval) -> Tensor:
        """Return the simulated observations."""
        return self.linearize(x, window).forward(x)

    def linearize(self, x: Tensor, window: Interval) -> LinearOperator:
        """Return K of a window."""
        return around(self.windows.index(window))

    def error(self, x: Tensor, window: Interval) -> Tensor | None:
        """Return nothing: it has no error."""
        return None


def around(number: int) -> Around:
    """Return K of a window: its own wind and places."""
    draw = np.random.default_rng((SEED, number))
    angle, spread = draw.uniform(0.0, 2.0 * np.pi), draw.uniform(4.0, 12.0)
    rows, columns = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    along = rows * np.sin(angle) + columns * np.cos(angle)
    distance = np.hypot(rows, columns)
    upwind = (along >= 0.5 * distance) | (distance < NEAR)
    plume = np.where(upwind, 30.0 * np.exp(-(distance - 0.9 * along) / spread) / (1.0 + distance), 0.0)
    # in the order of a swath, row by row
    return Around(plume, np.sort(draw.integers(0, SIDE**2, SOUNDINGS)))


def solve() -> Posterior:
    """Return the posterior of a truth that is drawn from the prior."""
    n, model = SIDE**2, Wide()
    generator = torch.Generator().manual_seed(SEED)
    control = VectorControl(
        torch.ones(n, dtype=torch.float64),
        DiagonalCovariance(torch.full((n,), PRIOR_ERROR**2, dtype=torch.float64)),
    )
    truth = 1.0 + PRIOR_ERROR * torch.randn(n, generator=generator, dtype=torch.float64)
    noise = DiagonalCovariance(torch.full((SOUNDINGS,), SIGMA**2, dtype=torch.float64))
    seen = {}
    for number, window in enumerate(model.windows):
        operator = around(number)
        drawn = torch.randn(SOUNDINGS, generator=generator, dtype=torch.float64)
        places = {"longitude": operator.cells % SIDE * 1.0, "latitude": operator.cells // SIDE * 1.0}
        seen[window] = Observations(operator.forward(truth) + SIGMA * drawn, noise, places)
    return Analytical(AnalyticalOptions(batch=BATCH)).solve(model, control, seen)


def main() -> None:
    """Solve, and print the figures as JSON."""
    begin = perf_counter()
    found = solve()
    taken = perf_counter() - begin
    covariance = found.covariance
    if covariance is None or found.dofs is None:
        raise SystemExit("the posterior lacks its covariance")
    sys.stdout.write(
        json.dumps(
            {
                "peak_gib_10000": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GIB,
                "solve_10000_seconds": taken,
                "soundings_10000": found.details["observations"],
                "dofs_10000": found.dofs,
                "total_sigma_10000": float(covariance.sum().sqrt()) / len(covariance),
                "chi_square_10000": found.details["chi_square"],
            }
        )
    )


if __name__ == "__main__":
    main()
