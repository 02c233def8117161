"""A small inversion that has really been solved, for everything that shows results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations, Posterior
from tradewind.couplers.component import Interval
from tradewind.couplers.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.results import CallRecord, InversionResult, Totals

MakeResult = Callable[..., InversionResult]
START = datetime(1996, 1, 15)


def windows(count: int) -> list[Interval]:
    days = [START + timedelta(days=n) for n in range(count + 1)]
    return [Interval(a, b) for a, b in zip(days[:-1], days[1:], strict=True)]


def solve(K: np.ndarray, y: np.ndarray, variances: tuple[float, float]) -> dict[str, np.ndarray]:
    """Posterior of a prior of ones, by the textbook: S = (Kᵀ K / so + I / sa)⁻¹."""
    so, sa = variances
    S = np.linalg.inv(K.T @ K / so + np.eye(K.shape[1]) / sa)
    x = np.ones(K.shape[1])
    mean = x + S @ K.T @ (y - K @ x) / so
    return {"mean": mean, "S": S, "A": np.eye(len(x)) - S / sa}


def build(rows: int = 4, columns: int = 6, days: int = 3, **changes: Any) -> InversionResult:
    """One control element to each block of 2 x 2 cells, and ten observations a day."""
    random = np.random.default_rng(7)
    grid = Grid.latlon(30.0 + 0.5 * np.arange(rows), -105.0 + 0.5 * np.arange(columns))
    row, column = np.divmod(np.arange(grid.size), columns)
    cluster = (row // 2) * (columns // 2) + column // 2
    n, m = int(cluster.max()) + 1, 10 * days
    prior_field = 1e-9 * np.exp(-(((row - rows / 2) / rows) ** 2 + ((column - columns / 3) / columns) ** 2) * 6)
    truth = 1.4 + 0.4 * np.sin(np.arange(n))
    K = random.gamma(0.5, 3.0, (m, n))
    y = K @ truth + random.normal(0.0, 2.0, m)
    solved = solve(K, y, (4.0, 0.25))
    seen = windows(days)
    parts = np.split(np.arange(m), days)
    lon, lat = random.uniform(grid.lon.min(), grid.lon.max(), m), random.uniform(30.0, grid.lat.max(), m)

    def observed(part: np.ndarray, window: Interval) -> Observations:
        time = np.array([window.stop] * len(part), dtype="datetime64[ns]")
        places = {"time": time, "latitude": lat[part], "longitude": lon[part]}
        y_part, variance = torch.from_numpy(y[part]), torch.full((len(part),), 4.0, dtype=torch.float64)
        return Observations(y_part, DiagonalCovariance(variance), places)

    def simulated(part: np.ndarray) -> dict[str, torch.Tensor]:
        states = {"prior": np.ones(n), "posterior": solved["mean"]}
        return {name: torch.from_numpy(K[part] @ x) for name, x in states.items()}

    weights = np.bincount(cluster, prior_field)
    scale = 2.1 / weights.sum()
    sigmas = [scale * np.sqrt(weights @ C @ weights) for C in (0.25 * np.eye(n), solved["S"])]
    sigma = np.sqrt(np.diag(solved["S"]))
    posterior = Posterior(
        mean=torch.from_numpy(solved["mean"]),
        covariance=torch.from_numpy(solved["S"]),
        averaging_kernel=torch.from_numpy(solved["A"]),
        dofs=float(np.trace(solved["A"])),
        cost={"prior_before": 0.0, "observations_before": 812.5, "prior_after": 9.25, "observations_after": 28.75},
        simulated={w: simulated(p) for w, p in zip(seen, parts, strict=True)},
    )
    result = InversionResult(
        name="permian",
        target="inventory.methane_flux",
        field_units="kg m-2 s-1",
        grid=grid,
        posterior=posterior,
        prior=torch.ones(n, dtype=torch.float64),
        prior_sigma=torch.full((n,), 0.5, dtype=torch.float64),
        prior_field=torch.from_numpy(prior_field),
        posterior_field=torch.from_numpy(prior_field * solved["mean"][cluster]),
        posterior_sigma=torch.from_numpy(prior_field * sigma[cluster]),
        sensitivity=torch.from_numpy(np.diag(solved["A"])[cluster].copy()),
        cluster=torch.from_numpy(cluster),
        totals=Totals(2.1, float(sigmas[0]), float(scale * weights @ solved["mean"]), float(sigmas[1])),
        observations={w: observed(p, w) for w, p in zip(seen, parts, strict=True)},
        windows=seen,
        calls=(
            CallRecord("transport", "jacobian-emulator", "linearize", 3, 18, 0.042, "2 columns rejected"),
            CallRecord("transport", "transport", "linearize", 1, 2, 81.5),
        ),
        provenance={
            "tradewind": "0.1.0",
            "created": "2026-01-02T03:04:05+00:00",
            "command": "tradewind run permian.yaml",
            "config": "run: {start: 1996-01-15}\nsolve: {method: analytical}\n",
            "versions": {"numpy": "2.0", "torch": "2.13.0"},
            "observed": "column-mean methane",
            "observed_units": "nmol mol-1",
            "control_units": "1",
        },
        notes=("The third level was interpolated in the vertical.",),
    )
    return replace(result, **changes)


@pytest.fixture
def make_result() -> MakeResult:
    """Return a function that builds a small result; keywords replace its parts."""
    return build


@pytest.fixture
def result() -> InversionResult:
    return build()
