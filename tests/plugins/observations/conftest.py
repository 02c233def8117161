"""Files of observations, and a small variable to be observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.assimilation.observing import Observed
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout

START = datetime(2000, 1, 1)
HOUR = timedelta(hours=1)


@pytest.fixture
def windows() -> tuple[Interval, ...]:
    """Return three windows of four hours."""
    return tuple(Interval(START + 4 * k * HOUR, START + 4 * (k + 1) * HOUR) for k in range(3))


@pytest.fixture
def air() -> Callable[..., Observed]:
    """Return a function that makes an observed variable on four cells of a degree: 0 1 south, 2 3 north."""

    def air(levels: int = 0, step: timedelta = HOUR, initial: bool = False, **about: Any) -> Observed:
        grid = about.pop("grid", None) or Grid.latlon([30.5, 31.5], [-101.5, -100.5])
        extra = (("level", levels),) if levels else ()
        variable = Variable("gas", about.pop("units", "1e-9"), grid, extra=extra, **about)
        return Observed("air.gas", variable, Layout(grid), step, initial)

    return air


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes observations: hours since the start, places, values, and what else."""

    def write(hours: Any, lon: Any, lat: Any, gas: Any, /, **more: Any) -> Path:
        time = np.datetime64(START, "ns") + (np.asarray(hours, float) * 3.6e12).astype("timedelta64[ns]")
        ds = xr.Dataset({"time": ("obs", time), "longitude": ("obs", lon), "latitude": ("obs", lat)})
        ds["gas"] = ("obs", np.asarray(gas, float), {"units": "1e-9"})
        ds["gas_uncertainty"] = ("obs", np.ones(len(gas)), {"units": "1e-9"})
        for name, value in more.items():
            ds[name] = value
        ds.to_netcdf(tmp_path / "seen.nc")
        return tmp_path / "seen.nc"

    return write


@pytest.fixture
def simulate() -> Callable[..., list[float]]:
    """Return a function that sums an operator's looks at fields by hours since the start, and its offset."""

    def simulate(operator: Any, window: Interval, fields: Mapping[int, Any]) -> list[float]:
        total = operator.offset(window)
        for (port, time), look in operator.looks(window).items():
            assert port == "air.gas"
            total = total + look(torch.as_tensor(fields[(time - START) // HOUR]).double())
        return total.tolist()

    return simulate


@pytest.fixture
def cell() -> SimpleNamespace:
    """Return the centres of the four cells."""
    return SimpleNamespace(lon=[-101.5, -100.5, -101.5, -100.5], lat=[30.5, 30.5, 31.5, 31.5])


@pytest.fixture
def sigma(air: Callable[..., Observed]) -> Observed:
    """Return a variable of two layers of a model that follows the ground, halves of the air."""
    flat = air(2)
    return replace(flat, variable=replace(flat.variable, levels=(0.75, 0.25), interfaces=(1.0, 0.5, 0.0)))
