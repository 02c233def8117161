"""A forward run of a few milliseconds: a source every hour, a tank every three, exchanged every six."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

TOYS = Path(__file__).parent / "programs" / "toys.py"
ENDS = np.array(["2000-01-01T12", "2000-01-02T00"], dtype="datetime64[ns]")
CONFIG = """\
plugins: [toys.py]
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h, window: 12h}
components:
  source: {plugin: source, step: 1h}
  tank: {plugin: tank, step: 3h}
exchanges:
  - {from: source.flux, to: tank.inflow, regrid: conservative, every: 6h, time: mean}
observations:
  operator: point
  of: tank.level
  options: {file: levels.nc, variable: level, units: kg m-2}
output: {file: forward.nc, fields: [tank.level, tank.amount, source.flux]}
"""


def levels() -> xr.Dataset:
    """Return three observations at the end of each window."""
    coords = {
        "time": ("obs", np.repeat(ENDS, 3), {"standard_name": "time"}),
        "latitude": ("obs", np.tile([10.0, 15.0, 30.0], 2), {"standard_name": "latitude"}),
        "longitude": ("obs", np.tile([5.0, 15.0, 25.0], 2), {"standard_name": "longitude"}),
    }
    units = {"units": "kg m-2"}
    fields = {"level": ("obs", np.full(6, 1e5), units), "level_uncertainty": ("obs", np.full(6, 1e3), units)}
    return xr.Dataset(fields, coords)


@pytest.fixture
def toy_run(tmp_path) -> Callable[..., Path]:
    """Return a function that writes the toy run's files into a folder and returns the config.

    Pairs of texts replace parts of the config.
    """

    def write(*changes: tuple[str, str], folder: str = "toy") -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        shutil.copy(TOYS, place / "toys.py")
        levels().to_netcdf(place / "levels.nc")
        text = CONFIG
        for old, new in changes:
            if old not in text:
                raise ValueError(f"{old!r} is not in the config")
            text = text.replace(old, new)
        (place / "toy.yaml").write_text(text)
        return place / "toy.yaml"

    return write
