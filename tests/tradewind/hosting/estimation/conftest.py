"""Runs of the Lorenz-96 model with observations of it, to be opened as sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.ranks.parallel import Serial
from tradewind.hosting.session import Session

RUN = """
run: {{start: 2000-01-01, stop: 2000-01-02, step: 6h, window: {window}, seed: 1}}
components: {{circle: {{plugin: lorenz-96, options: {{size: 12, changes: {{0: 9.0}}}}}}}}
observations: {{operator: point, of: circle.x, options: {{file: seen.nc, variable: x, units: "1"}}}}
control: {{field: circle.x, change: add, prior_error: 1.0}}
"""
FILTER = """
ensemble: {members: 5}
solve: {method: letkf, options: {localization: {radius: 130, distance: degrees}}}
"""
SOLVER = "solve: {method: 4dvar, options: {outer: 1, inner: 5}}\n"
HOST = """
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, window: 1d, seed: 1}
components:
  ocean:
    plugin: host
    options:
      grid: {lon: [0, 30, 60, 90], lat: [0, 10]}
      linear: true
      state: {x: {units: "1", initial: 8.0}}
observations: {operator: point, of: ocean.x, options: {file: seen.nc, variable: x, units: "1"}}
control: {field: ocean.x, change: add, prior_error: 1.0}
"""


def observations(folder: Path, points: int = 12) -> None:
    """Write what was seen at the ends of steps: a wave around 8."""
    hours, places = np.meshgrid([6, 12, 18, 24], np.arange(points), indexing="ij")
    values = 8.0 + np.sin(places + hours / 24.0)
    along = "observation"
    xr.Dataset(
        {
            "x": (along, values.ravel(), {"units": "1"}),
            "x_uncertainty": (along, np.full(values.size, 0.5), {"units": "1"}),
            "time": (along, np.datetime64("2000-01-01", "ns") + hours.ravel() * np.timedelta64(1, "h")),
            "latitude": (along, np.zeros(values.size)),
            "longitude": (along, 30.0 * places.ravel()),
        }
    ).to_netcdf(folder / "seen.nc")


@pytest.fixture
def write(tmp_path):
    """Write a run config of a name, with its observations; return its path."""
    observations(tmp_path)

    def written(method: str, window: str = "6h", extra: str = "") -> str:
        path = tmp_path / "circle.yaml"
        path.write_text(RUN.format(window=window) + method + extra)
        return str(path)

    return written


@pytest.fixture
def filtered(write) -> str:
    """A config with a filter."""
    return write(FILTER)


@pytest.fixture
def inverted(write) -> str:
    """A config with a solver."""
    return write(SOLVER, window="1d")


@pytest.fixture
def write_host(tmp_path):
    """Write a config in which the host brings the model; return its path."""
    observations(tmp_path, points=4)

    def written(method: str) -> str:
        path = tmp_path / "ocean.yaml"
        path.write_text(HOST + method)
        return str(path)

    return written


@pytest.fixture
def begun():
    """Open sessions, and close them in the end."""
    sessions = []

    def begin(path: str) -> Session:
        sessions.append(Session(path, Serial()))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()
