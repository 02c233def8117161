"""Small ensembles and observations on a ring, and the analyses that PDAF and DAPPER have stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.bench.assimilation import dapper_analyses, pdaf
from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout


class Ring:
    """Cells along the equator, 10 degrees apart; observations halfway between some of them."""

    def __init__(self, members: int = 5, cells: int = 36, m: int = 12) -> None:
        self.layout = Layout(Grid.points(np.arange(cells) * 10.0, np.zeros(cells)))
        self.h = torch.zeros(m, cells, dtype=torch.float64)
        at = np.arange(m) * 2 % cells
        self.h[torch.arange(m), torch.from_numpy(at)] = 0.5
        self.h[torch.arange(m), torch.from_numpy((at + 1) % cells)] = 0.5
        self.x = self.draw(members, cells, seed=1)
        self.longitude, self.latitude = at * 10.0 + 5.0, np.zeros(m)
        self.y, self.variance = self.draw(m, seed=2), self.draw(m, seed=3).square() + 0.5

    @staticmethod
    def draw(*shape: int, seed: int) -> torch.Tensor:
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    @property
    def ensemble(self) -> Ensemble:
        return Ensemble({"x": self.x}, self.x @ self.h.T, {"x": self.layout})

    @property
    def observations(self) -> Observations:
        places = {"longitude": self.longitude, "latitude": self.latitude}
        return Observations(self.y, DiagonalCovariance(self.variance), places)

    def kalman(self, inflation: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and covariance by the Kalman filter with the sample covariance."""
        mean, deviations = self.x.mean(0), inflation * (self.x - self.x.mean(0))
        spread = deviations.T @ deviations / (len(self.x) - 1)
        noise = torch.diag(self.variance)
        gain = spread @ self.h.T @ torch.linalg.inv(self.h @ spread @ self.h.T + noise)
        return mean + gain @ (self.y - self.h @ mean), spread - gain @ self.h @ spread


@pytest.fixture
def ring() -> Callable[..., Ring]:
    return Ring


@pytest.fixture(scope="session")
def pdaf_cases(shared: Path) -> dict[str, pdaf.Case]:
    return {case.name: case for case in pdaf.cases(shared / "reference" / "pdaf")}


@pytest.fixture(scope="session")
def dapper_cases(shared: Path) -> dict[str, pdaf.Case]:
    return {case.name: case for case in dapper_analyses.cases(shared / "reference")}
