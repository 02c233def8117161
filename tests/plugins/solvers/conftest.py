"""Problems whose model is linear in amplitudes, which logarithms of them are estimated of."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PriorError,
    Scale,
)
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.testing import LinearModel
from tradewind.testing.model import days


@dataclass
class AmplitudeModel(LinearModel):
    """F(x) = K s(x) + c, with s = exp(x) where an element is lognormal."""

    lognormal: torch.Tensor | None = None

    def amplitude(self, x):
        return torch.where(self.lognormal, torch.exp(x), x)

    def __call__(self, x, window):
        return super().__call__(self.amplitude(x), window)

    def linearize(self, x, window):
        slope = torch.where(self.lognormal, torch.exp(x), torch.ones_like(x))
        return MatrixOperator(self.jacobians[window] * slope)


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def part(target, count, change, sigma=0.5):
    """Return a control of that many numbers without a place."""
    field = torch.ones(count, dtype=torch.float64)
    return FieldControl(target, field, None, Clustering(Per.CELL), PriorError(sigma), change)


def problem(control, sizes, seed=0, noise=0.1, scale=1.0):
    """Return a model, and what a truth that is drawn from the prior would show of it."""
    lognormal = torch.zeros(len(control.prior), dtype=torch.bool)
    begin = 0
    for one in getattr(control, "parts", (control,)):
        end = begin + len(one.prior)
        lognormal[begin:end] = isinstance(getattr(one, "change", None), Lognormal)
        begin = end
    windows = dict(zip(days(len(sizes)), sizes, strict=True))
    n = len(control.prior)
    model = AmplitudeModel(
        {w: draw(m, n, seed=seed + i).abs() for i, (w, m) in enumerate(windows.items())},
        {w: draw(m, seed=seed + 50 + i) for i, (w, m) in enumerate(windows.items())},
        lognormal=lognormal,
    )
    truth = control.prior + scale * control.covariance.diagonal().sqrt() * draw(n, seed=seed + 99)
    seen = {}
    for i, (w, m) in enumerate(windows.items()):
        variance = torch.full((m,), noise**2, dtype=torch.float64)
        y = model(truth, w) + noise * draw(m, seed=seed + 150 + i)
        seen[w] = Observations(y, DiagonalCovariance(variance) if m else None)
    return model, seen


def solve(model, control, seen, **options):
    return Analytical(AnalyticalOptions(**options)).solve(model, control, seen)


@pytest.fixture
def inversions():
    """Return what makes and solves such problems."""
    return SimpleNamespace(
        draw=draw,
        part=part,
        problem=problem,
        solve=solve,
        Model=AmplitudeModel,
        lognormal=lambda n, sigma=0.5, **k: part("inventory.flux", n, Lognormal(**k), sigma),
        scaled=lambda n, sigma=0.5: part("inventory.flux", n, Scale(), sigma),
        added=lambda n, sigma=0.5: part("background.boundary", n, Add(), sigma),
        both=lambda one, other: JointControl([one, other]),
    )
