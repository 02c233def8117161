"""Small problems: linear, curved, and one that blows up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days


@dataclass
class CurvedModel(LinearModel):
    """F(x) = K x + c + bend (K x)²; not a number where |K x| is larger than `edge`."""

    bend: float = 0.05
    edge: float = float("inf")

    def __call__(self, x, window):
        z = x @ self.jacobians[window].T
        z = torch.where(z.abs() > self.edge, torch.nan, z)
        return z + self.offsets[window] + self.bend * z**2

    def linearize(self, x, window):
        k = self.jacobians[window]
        return MatrixOperator((1 + 2 * self.bend * (k @ x))[:, None] * k)

    def standing_still(self):
        return LinearModel(self.jacobians, self.offsets, self.errors, self.comm)


@dataclass
class PlacedControl(VectorControl):
    """Elements along the equator, 10 degrees apart."""

    @property
    def places(self):
        return 10.0 * np.arange(len(self.prior)), np.zeros(len(self.prior))


@dataclass
class Case:
    model: LinearModel
    control: VectorControl
    seen: dict

    def stacked(self):
        """Return K, y - F(xA) and the variances, of all windows."""
        windows = self.model.windows
        k = torch.cat([self.model.jacobians[w] for w in windows])
        d = torch.cat([self.seen[w].y - self.model(self.control.prior, w) for w in windows])
        r = torch.cat([self.seen[w].covariance.diagonal() for w in windows])
        return k, d, r


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(kind=LinearModel, n=6, sizes=(5, 4), **more) -> Case:
    windows = dict(zip(days(len(sizes)), sizes, strict=True))
    jacobians = {w: draw(m, n, seed=i) for i, (w, m) in enumerate(windows.items())}
    offsets = {w: draw(m, seed=50 + i) for i, (w, m) in enumerate(windows.items())}
    gap = np.arange(n)[:, None] - np.arange(n)
    control = PlacedControl(draw(n, seed=7), DenseCovariance(torch.from_numpy(np.exp(-abs(gap) / 2.0))))
    seen = {
        w: Observations(
            draw(m, seed=90 + i),
            DiagonalCovariance(draw(m, seed=70 + i).square() + 0.1),
            {"longitude": 10.0 * np.arange(m), "latitude": np.zeros(m)},
        )
        for i, (w, m) in enumerate(windows.items())
    }
    return Case(kind(jacobians, offsets, **more), control, seen)


@pytest.fixture
def linear() -> Case:
    return built()


@pytest.fixture
def curved() -> Case:
    return built(CurvedModel)


@pytest.fixture
def case():
    return built


@pytest.fixture
def curved_kind():
    return CurvedModel
