"""Small ensembles in run configs: points that stand still, or models of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tradewind.assembly import Assembly, assemble

HOUR = np.timedelta64(1, "h")
START = np.datetime64("2000-01-01T00:00", "ns")
HEAD = """\
run: {{start: 2000-01-01, stop: 2000-01-01T{hours:02d}:00, step: 1h, window: 1h, seed: 3}}
components:
  model: {model}
observations: {observations}
control: {control}
ensemble: {ensemble}
solve: {{method: {method}}}
"""
GRID = "{lat: [0.0, 1.0], lon: [0.0, 1.0]}"
STILL = f"{{plugin: shift, options: {{grid: {GRID}}}}}"


def write_observations(path: Path, rows: list[tuple[float, float, float, float, float]]) -> None:
    """Write observations: hours since the start, latitude, longitude, value, standard deviation."""
    hours, lat, lon, value, sigma = np.array(rows, dtype=np.float64).T
    along, one = ("observation",), {"units": "1"}
    xr.Dataset(
        {
            "x": (along, value, one),
            "x_uncertainty": (along, sigma, one),
            "time": (along, START + (hours * 3600e9).astype("timedelta64[ns]")),
            "latitude": (along, lat, {"units": "degrees_north"}),
            "longitude": (along, lon, {"units": "degrees_east"}),
        }
    ).to_netcdf(path)


def write_members(path: Path, **variables: Any) -> None:
    """Write members, the first axis of each variable."""
    values = {name: np.asarray(v, dtype=np.float64) for name, v in variables.items()}
    dims = {name: ("member", *(f"{name}_{k}" for k in range(1, v.ndim))) for name, v in values.items()}
    xr.Dataset({name: (dims[name], v) for name, v in values.items()}).to_netcdf(path)


@pytest.fixture
def ensemble(tmp_path: Path) -> Callable[..., Assembly]:
    """Return a function that assembles a loop from what a test says of it."""

    def make(
        rows: list[tuple[float, ...]], members: Any = None, comm: object = None, **said: Any
    ) -> Assembly:
        write_observations(tmp_path / "observed.nc", rows)
        if members is not None:
            write_members(tmp_path / "members.nc", x=members)
        return assemble(written(tmp_path, members is not None, **said), (), comm)

    return make


@pytest.fixture
def function_model(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that makes a component whose state x becomes an expression, with a parameter b."""

    def make(new_x: str, before: str = "") -> str:
        body = f"import torch\n\n\ndef step(state, parameters):\n    {before}\n    x = {new_x}\n"
        (tmp_path / "model.py").write_text(body + "    return {'x': x}, {'x': x}\n")
        return (
            f"{{plugin: function, options: {{file: model.py, function: step, grid: {GRID}, "
            "exports: {x: {units: '1'}}, state: {x: {units: '1', initial: 0.0}}, "
            "parameters: {b: {value: 0.0}}}}"
        )

    return make


def written(folder: Path, from_file: bool, **said: Any) -> Path:
    """Write the config of a loop; return it."""
    defaults = {
        "hours": 1,
        "model": STILL,
        "observations": "{operator: point, of: model.x, "
        'options: {file: observed.nc, variable: x, units: "1"}}',
        "control": "{field: model.x, change: add, prior_error: 1.0}",
        "method": "etkf",
        "ensemble": "{members: 2}",
    }
    text = HEAD.format(**{**defaults, **said})
    if from_file:
        text = text.replace("ensemble: {", "ensemble: {file: members.nc, ")
    (folder / "run.yaml").write_text(text)
    return folder / "run.yaml"
