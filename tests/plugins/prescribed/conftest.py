"""Small files of fields, whose numbers can be read off their indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.prescribed.dataset import Dataset
from tradewind.plugins.prescribed.options import DatasetOptions

START = datetime(2000, 1, 1)
HOUR = timedelta(hours=1)
LAT = ("lat", [30.0, 31.0], {"standard_name": "latitude", "units": "degrees_north"})
LON = ("lon", [-103.0, -102.0, -101.0], {"standard_name": "longitude", "units": "degrees_east"})
WEIGHT = np.arange(1.0, 7.0).reshape(2, 3)
"""What each cell's values are multiplied by, so that no two cells are alike."""


@dataclass
class Writer:
    """Writes files of 2 by 3 cells: at time k, values[k] times `WEIGHT`."""

    folder: Path

    def dataset(
        self,
        values: Sequence[float],
        hours: Sequence[float],
        *,
        bounds: Sequence[Sequence[float]] | None = None,
        units: str = "kg m-2 s-1",
        since: str = "2000-01-01",
        **about: Any,
    ) -> xr.Dataset:
        time = {"units": f"hours since {since}", "standard_name": "time", "calendar": "standard"}
        time |= about.pop("time", {})
        field = np.multiply.outer(np.asarray(values, dtype=float), WEIGHT)
        ds = xr.Dataset({"x": (("time", "lat", "lon"), field, {"units": units, **about})})
        ds = ds.assign_coords(lat=LAT, lon=LON, time=("time", np.asarray(hours, dtype=float), time))
        if bounds is not None:
            ds["time"].attrs["bounds"] = "time_bnds"
            ds["time_bnds"] = (("time", "nv"), np.asarray(bounds, dtype=float))
        return ds

    def __call__(
        self, values: Sequence[float], hours: Sequence[float], name: str = "x.nc", **about: Any
    ) -> Path:
        path = self.folder / name
        self.dataset(values, hours, **about).to_netcdf(path)
        return path


@pytest.fixture
def write(tmp_path) -> Writer:
    return Writer(tmp_path)


def interval(start: float, stop: float) -> Interval:
    """Return hours since the beginning of 2000 as an interval."""
    return Interval(START + start * HOUR, START + stop * HOUR)


@dataclass
class Stepper:
    """Steps a dataset and tells the factor of `WEIGHT`."""

    component: Dataset

    def __post_init__(self) -> None:
        self.spec = self.component.describe()
        self.layouts = {v.name: Layout(v.grid) for v in (*self.spec.exports, *self.spec.parameters)}
        self.state = self.component.initialize(self.spec, self.layouts, 1)

    def fields(self, start: float, stop: float, **parameters: torch.Tensor) -> dict[str, torch.Tensor]:
        given = {**self.component.defaults(self.layouts), **parameters}
        return self.component.step(self.state, {}, given, interval(start, stop))[0]

    def __call__(self, start: float, stop: float, name: str = "x") -> float:
        """Return what multiplies `WEIGHT` in a step; all cells agree."""
        factors = self.fields(start, stop)[name][0].reshape(2, 3).numpy() / WEIGHT
        assert np.ptp(factors) <= 1e-12 * (1.0 + abs(factors).max())
        return float(factors[0, 0])


def replay(file: Path | Sequence[Path], variables: Any = ("x",), **options: Any) -> Stepper:
    file = file if isinstance(file, Path) else tuple(file)
    return Stepper(Dataset(DatasetOptions(file=file, variables=variables, **options)))


@pytest.fixture
def make_replay() -> Callable[..., Stepper]:
    return replay


@pytest.fixture
def hours() -> Callable[[float, float], Interval]:
    return interval
