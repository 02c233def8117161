"""A small loop of a filter that has really analysed: members on a row and on an area, and a control."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Departures
from tradewind.couplers.assimilation.control import Clustering, FieldControl, Per, PriorError
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.diagnostics import departures_of
from tradewind.findings.aggregates import aggregates
from tradewind.findings.dropped import Dropped
from tradewind.findings.plumes import Examples, Footprint, Plume
from tradewind.results import Analysed, AssimilationResult, CallRecord

START = datetime(2000, 1, 1)
ROW = Grid.latlon([0.0], 9.0 * np.arange(40), lat_bounds=[-1.0, 1.0])
AREA = Grid.latlon(30.0 + np.arange(4.0), -100.0 + np.arange(6.0))
N, SIGMA, GAIN = 9, 1.0, 0.6


def tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))


def windows(count: int) -> list[Interval]:
    hours = [START + timedelta(hours=6 * k) for k in range(count + 1)]
    return [Interval(a, b) for a, b in itertools.pairwise(hours)]


def departures(window: Interval, seed: int) -> Departures:
    """Return a truth of 40 points seen with errors of SIGMA, members drawn as the truth is."""
    rng = np.random.default_rng(seed)
    truth, members = rng.normal(size=40), rng.normal(size=(N, 40))
    y = truth + SIGMA * rng.normal(size=40)
    reason = np.where(np.abs(y) > 2.5, "background check", "")
    noisy = members + SIGMA * rng.normal(size=(N, 40))
    background = members.mean(0)
    return Departures(
        window, y=y, sigma=np.full(40, SIGMA), background=background,
        analysis=background + GAIN * (y - background) * (reason == ""),
        background_sigma=members.std(0, ddof=1), analysis_sigma=GAIN * members.std(0, ddof=1),
        rank=(noisy < y).sum(0), reason=reason, members=N,
        coordinates={
            "time": np.array([window.stop] * 40, dtype="datetime64[ns]"), "latitude": np.zeros(40),
            "longitude": 9.0 * np.arange(40), "stream": np.array(["buoys", "ships"] * 20),
        },
    )  # fmt: skip


def analysed(port: str, grid: Grid | None, count: int, names: tuple[str, ...] = ()) -> Analysed:
    rng, cells = np.random.default_rng(len(port)), grid.size if grid is not None else len(names)
    wave = np.sin(np.arange(cells) / 3.0)
    forecast = wave + 0.3 * rng.normal(size=(count, cells))
    variable = Variable(port.partition(".")[2], "K" if not names else "1", grid)
    return Analysed(
        port, variable, grid, names, [w.stop for w in windows(count)],
        forecast=tensor(forecast), analysis=tensor(forecast + 0.2 * rng.normal(size=(count, cells))),
        forecast_spread=tensor(0.5 + 0.1 * rng.random((count, cells))),
        analysis_spread=tensor(0.3 + 0.1 * rng.random((count, cells))),
    )  # fmt: skip


def loop(count: int = 12, **changes: Any) -> AssimilationResult:
    names = ("30N 100W", "30N 99W", "31N 100W")
    fields = (
        analysed("atmosphere.x", ROW, count),
        analysed("ocean.temperature", AREA, count),
        analysed("inventory.flux", None, count, names),
    )
    sizes = {f.port: f.analysis.shape[-1] for f in fields}
    result = AssimilationResult(
        name="l96", method="letkf", windows=windows(count),
        departures=[departures(w, seed) for seed, w in enumerate(windows(count))],
        fields=fields,
        members={port: tensor(np.random.default_rng(1).normal(size=(N, k))) for port, k in sizes.items()},
        seconds={"forecast": 1.25, "analysis": 0.25},
        calls=(CallRecord("atmosphere", "lorenz-96", "step", 12, 108, 0.5),),
        provenance={"tradewind": "0.1.0", "config": "run: {}", "observed_units": "K", "observed": "x"},
    )  # fmt: skip
    return replace(result, **changes)


@pytest.fixture
def make_loop() -> Callable[..., AssimilationResult]:
    return loop


@pytest.fixture(scope="session")
def looped() -> AssimilationResult:
    """Return the small loop; it is never changed."""
    return loop()


@pytest.fixture
def departures_without() -> Callable[[int], list[Departures]]:
    """Return a function that makes departures of windows in which nothing was seen."""
    return lambda count: departures_of(windows(count), {}, {})


# ---------------------------------------------------------------------- a methane inversion with everything
SETTINGS = tuple(itertools.product((0.5, 1.0, 2.0), (0.8, 1.25), (0.5, 1.0)))


def variant(mean: torch.Tensor, prior_error: float, observation_error: float, gamma: float) -> dict[str, Any]:
    size = prior_error * gamma / observation_error
    return {
        "prior_error": prior_error, "observation_error": observation_error, "gamma": gamma,
        "boundary_error": None, "prior_cost_per_element": size, "dofs": 3.0 + size,
        "kept": 0.5 <= size <= 2.0,
        "mean": 1.0 + size / (0.3 + size) * (mean - 1.0),
    }  # fmt: skip


def in_periods(mean: torch.Tensor, count: int = 5) -> list[dict[str, Any]]:
    days = [START + timedelta(days=k) for k in range(count + 1)]
    change = mean - 1.0
    return [
        {"start": a, "stop": b, "prior": 1.0 + 0.1 * k * change, "mean": 1.0 + 0.2 * (k + 1) * change,
         "sigma": torch.full_like(mean, 0.3), "dofs": 2.0 + 0.1 * k}
        for k, (a, b) in enumerate(itertools.pairwise(days))
    ]  # fmt: skip


def control_of(result: Any) -> Any:
    """Return factors on the result's field, one for each of its elements."""
    labels = result.fields[0].element.numpy()
    clustering = Clustering(Per.REGION, regions=labels)
    field = result.fields[0].prior
    return FieldControl(result.fields[0].port, field, Layout(result.grid), clustering, PriorError(0.5))


@pytest.fixture(scope="session")
def methane(make_result: Callable[..., Any]) -> Any:
    """Return an inversion with regions, an ensemble, periods, a plume, a footprint, and what was dropped."""
    result = make_result(8, 12)
    mean, grid = result.posterior.mean, result.grid
    details = {"ensemble": [variant(mean, *s) for s in SETTINGS], "periods": in_periods(mean)}
    posterior = replace(result.posterior, details=details)
    declared = result.fields[0].variable
    masks = {"west": grid.lon < -103.0, "north": grid.lat > 31.9}
    totals = aggregates(control_of(result), posterior, lambda _: declared, lambda _: masks)
    window = result.windows[1]
    away = (grid.lon + 104.0) ** 2 + (grid.lat - 31.5) ** 2
    seen = result.observations[window]
    plume = Plume(
        3, window, tensor(np.arange(10.0)), seen.coordinates, "transport.methane_column", grid,
        tensor(np.exp(-2.0 * away)),
    )  # fmt: skip
    row = tensor(np.arange(float(len(mean))))
    place = {name: values[4] for name, values in seen.coordinates.items()}
    return replace(
        result, posterior=posterior, aggregates=totals,
        examples=Examples(plume, Footprint(4, window, row, place)),
        dropped=(Dropped("tropomi", "its value is missing", 12), Dropped("tropomi", "damaged file", 1)),
    )  # fmt: skip
