"""A small inversion that has really been solved, for everything that shows results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Observations, Posterior
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.results import CallRecord, ControlledField, InversionResult, Totals

MakeResult = Callable[..., InversionResult]
START = datetime(1996, 1, 15)
SO, SA, TOTAL = 4.0, 0.25, 2.1
COST = {"prior_before": 0.0, "observations_before": 812.5, "prior_after": 9.25, "observations_after": 28.75}
CALLS = (
    CallRecord("transport", "jacobian-emulator", "linearize", 3, 18, 0.042, "2 columns rejected"),
    CallRecord("transport", "transport", "linearize", 1, 2, 81.5),
)
PROVENANCE = {
    "tradewind": "0.1.0",
    "created": "2026-01-02T03:04:05+00:00",
    "command": "tradewind run permian.yaml",
    "config": "run: {start: 1996-01-15}\nsolve: {method: analytical}\n",
    "versions": {"numpy": "2.0", "torch": "2.13.0"},
    "observed": "column-mean methane",
    "observed_units": "nmol mol-1",
    "control_units": "1",
}


def tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float64))


@dataclass(frozen=True)
class Twin:
    """One control element to each block of 2 x 2 cells, ten observations a day, a prior of ones."""

    rows: int
    columns: int
    days: int

    @cached_property
    def grid(self) -> Grid:
        return Grid.latlon(30.0 + 0.5 * np.arange(self.rows), -105.0 + 0.5 * np.arange(self.columns))

    @cached_property
    def cluster(self) -> np.ndarray:
        row, column = np.divmod(np.arange(self.grid.size), self.columns)
        return (row // 2) * (self.columns // 2) + column // 2

    @cached_property
    def field(self) -> np.ndarray:
        return 1e-9 * (1.0 + np.arange(self.grid.size) % 7)

    @property
    def size(self) -> int:
        return int(self.cluster.max()) + 1

    @cached_property
    def K(self) -> np.ndarray:
        return np.random.default_rng(7).gamma(0.5, 3.0, (10 * self.days, self.size))

    @cached_property
    def y(self) -> np.ndarray:
        return self.K @ (1.4 + 0.4 * np.sin(np.arange(self.size))) + np.cos(np.arange(len(self.K)))

    @cached_property
    def S(self) -> np.ndarray:
        # the textbook: S = (Kᵀ K / so + I / sa)⁻¹
        return np.linalg.inv(self.K.T @ self.K / SO + np.eye(self.size) / SA)

    @cached_property
    def mean(self) -> np.ndarray:
        x = np.ones(self.size)
        return x + self.S @ self.K.T @ (self.y - self.K @ x) / SO

    @property
    def windows(self) -> list[Interval]:
        return [Interval(a, b) for a, b in pairwise(START + timedelta(days=n) for n in range(self.days + 1))]

    def part(self, day: int) -> slice:
        return slice(10 * day, 10 * day + 10)

    def observed(self, day: int, window: Interval) -> Observations:
        longitude = np.linspace(-105.0, -104.0, 10) + 0.1 * day
        time = np.array([window.stop] * 10, dtype="datetime64[ns]")
        places = {"time": time, "latitude": np.linspace(30.0, 31.5, 10), "longitude": longitude}
        return Observations(tensor(self.y[self.part(day)]), DiagonalCovariance(tensor([SO] * 10)), places)

    def simulated(self, day: int) -> dict[str, torch.Tensor]:
        states = {"prior": np.ones(self.size), "posterior": self.mean}
        return {name: tensor(self.K[self.part(day)] @ x) for name, x in states.items()}

    @property
    def posterior(self) -> Posterior:
        A = np.eye(self.size) - self.S / SA
        simulated = {w: self.simulated(day) for day, w in enumerate(self.windows)}
        return Posterior(tensor(self.mean), tensor(self.S), tensor(A), float(np.trace(A)), COST, simulated)

    @property
    def totals(self) -> Totals:
        weights = np.bincount(self.cluster, self.field)
        weights *= TOTAL / weights.sum()
        prior, posterior = (float(np.sqrt(weights @ C @ weights)) for C in (SA * np.eye(self.size), self.S))
        return Totals(TOTAL, prior, float(weights @ self.mean), posterior)

    @property
    def controlled(self) -> ControlledField:
        sigma = np.sqrt(np.diag(self.S))
        return ControlledField(
            port="inventory.methane_flux",
            variable=Variable("methane_flux", "kg m-2 s-1", self.grid),
            grid=self.grid,
            prior=tensor(self.field),
            posterior=tensor(self.field * self.mean[self.cluster]),
            prior_sigma=tensor(self.field * SA**0.5),
            element=torch.from_numpy(self.cluster),
            sigma=tensor(self.field * sigma[self.cluster]),
            sensitivity=tensor(1.0 - sigma[self.cluster] ** 2 / SA),
            totals=self.totals,
        )

    def result(self) -> InversionResult:
        return InversionResult(
            name="permian",
            fields=(self.controlled,),
            posterior=self.posterior,
            prior=tensor(np.ones(self.size)),
            prior_sigma=tensor([SA**0.5] * self.size),
            elements=tuple(f"cluster {k}" for k in range(self.size)),
            observations={w: self.observed(day, w) for day, w in enumerate(self.windows)},
            windows=self.windows,
            calls=CALLS,
            provenance=PROVENANCE,
            notes=("The third level was interpolated in the vertical.",),
        )


def with_field(result: InversionResult, **changes: Any) -> InversionResult:
    """Return the result with its first field changed."""
    first, *others = result.fields
    return replace(result, fields=(replace(first, **changes), *others))


def build(rows: int = 4, columns: int = 6, days: int = 3, **changes: Any) -> InversionResult:
    return replace(Twin(rows, columns, days).result(), **changes)


@pytest.fixture
def change_field() -> Callable[..., InversionResult]:
    """Return a function that changes the first field of a result."""
    return with_field


@pytest.fixture(scope="session")
def example() -> InversionResult:
    """Return the small result of `result`, for fixtures that outlive a test; it is never changed."""
    return build()


@pytest.fixture(scope="session")
def make_result() -> MakeResult:
    """Return a function that builds a small result; keywords replace its parts."""
    return build


@pytest.fixture
def result() -> InversionResult:
    return build()
