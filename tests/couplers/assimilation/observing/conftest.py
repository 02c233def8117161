"""Observations by hand, and an operator that gives them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from tradewind.couplers.assimilation import LinearLook, Looks, Observations, ObservationsByWindow
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

START = datetime(2000, 1, 1)
DAY = timedelta(days=1)
LAYOUT = Layout(Grid.points([0.0, 1.0, 2.0], [0.0, 0.0, 0.0]))


@pytest.fixture
def windows() -> tuple[Interval, ...]:
    """Return two days."""
    return tuple(Interval(START + k * DAY, START + (k + 1) * DAY) for k in range(2))


@pytest.fixture
def seen() -> Callable[..., Observations]:
    """Return a function that makes observations of sigma 1, after some hours, with further coordinates."""

    def seen(lon: Any, lat: Any, y: Any, hours: Any = None, sigma: Any = 1.0, **more: Any) -> Observations:
        m = len(y)
        since = np.zeros(m) if hours is None else np.asarray(hours, dtype=float)
        time = np.datetime64(START, "ns") + (since * 3.6e12).astype("timedelta64[ns]")
        where = {"time": time, "latitude": np.array(lat, float), "longitude": np.array(lon, float)} | more
        variance = torch.as_tensor(np.broadcast_to(sigma, (m,)) ** 2.0).double()
        errors = DiagonalCovariance(variance) if m else None
        return Observations(torch.tensor(y, dtype=torch.float64), errors, where)

    return seen


class Fixed:
    """Gives the same observations in every window; observation i reads cell ``cells[i]`` at its end."""

    def __init__(self, port: str, observations: Observations, cells: Sequence[int]) -> None:
        self.observes, self.observations, self.notes = (port,), observations, ["something"]
        entries = np.ones(len(cells)), (np.arange(len(cells)), np.array(cells, dtype=int))
        rows = sparse.csr_array(entries, shape=(len(cells), 3))
        self.look = LinearLook(SamplingOperator(rows, LAYOUT))

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        return dict.fromkeys(windows, self.observations)

    def looks(self, window: Interval) -> Looks:
        return {(self.observes[0], window.stop): self.look}

    def offset(self, window: Interval) -> torch.Tensor:
        return torch.arange(len(self.observations)).double()


@pytest.fixture
def fixed() -> type[Fixed]:
    """Return an operator's class: ``Fixed(port, observations, cells)``."""
    return Fixed
