"""Small problems for smoothers: linear ones whose posterior is known, and one that is not linear."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

FIRST, SECOND, THIRD = days(3)


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@dataclass
class PlacedControl(VectorControl):
    """A vector whose elements lie along the equator, one degree apart."""

    @property
    def places(self):
        n = len(self.prior)
        return np.arange(n, dtype=np.float64), np.zeros(n)


@dataclass
class Problem:
    """What a solver is given."""

    model: LinearModel
    control: VectorControl
    seen: dict

    def solve(self, solver):
        return solver.solve(self.model, self.control, self.seen)


class Cubic(LinearModel):
    """y = K x + 0.3 (K x)³."""

    def __call__(self, x, window):
        linear = super().__call__(x, window)
        return linear + 0.3 * linear**3


class Fragile(LinearModel):
    """Fails where its first element is above `limit`, in the second window only."""

    limit = 1.5

    def __call__(self, x, window):
        found = super().__call__(x, window)
        bad = (x[..., 0] > self.limit) & (window == SECOND)
        return torch.where(bad[..., None], torch.nan, found)


@dataclass
class Makers:
    """Makes problems of n elements and windows of 3, 0 and 4 observations."""

    n: int = 3
    sizes: tuple = (3, 0, 4)
    kinds: dict = field(default_factory=lambda: {"cubic": Cubic, "fragile": Fragile})

    def linear(self, kind=LinearModel, correlated=False, spread=0.8) -> Problem:
        windows = dict(zip((FIRST, SECOND, THIRD), self.sizes, strict=True))
        jacobians = {w: draw(m, self.n, seed=i) for i, (w, m) in enumerate(windows.items())}
        model = kind(jacobians, {w: torch.zeros(m, dtype=torch.float64) for w, m in windows.items()})
        truth = draw(self.n, seed=20)
        seen = {
            w: Observations(
                kind.__call__(model, truth, w) + 0.1 * draw(m, seed=30 + i), self.errors(m, correlated)
            )
            for i, (w, m) in enumerate(windows.items())
        }
        a = draw(self.n, self.n, seed=40)
        prior = DenseCovariance(spread * (a @ a.T / self.n + torch.eye(self.n, dtype=torch.float64)))
        return Problem(model, PlacedControl(torch.full((self.n,), 0.5).double(), prior), seen)

    def errors(self, m, correlated):
        if not m:
            return None
        if not correlated:
            return DiagonalCovariance(0.1 + torch.arange(m, dtype=torch.float64) / 10)
        return DenseCovariance(0.2 * (torch.eye(m, dtype=torch.float64) + 0.5))

    def exact(self, problem):
        found = Analytical().solve(problem.model, problem.control, problem.seen)
        return found.mean, found.covariance, found.dofs


@pytest.fixture
def makers() -> Makers:
    return Makers()


@pytest.fixture
def windows():
    return FIRST, SECOND, THIRD
