"""A small inversion on real winds: nine sources, two windows of half a day, an untrained emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.plugins.jacobian_emulator.surrogate import reference_settings
from tradewind.plugins.transport.options import TransportOptions
from tradewind.surrogates.checkpoint import Bounds, CheckpointHeader, ErrorModel, save_checkpoint
from tradewind.surrogates.networks import CompactNetwork
from tradewind.surrogates.normalisation import Normalisation
from tradewind.surrogates.surrogate import describe

WEATHER = Path(__file__).parents[3] / "examples" / "january_1996.nc"
REGION = {"west": -113.0, "east": -91.5, "south": 22.0, "north": 43.5}  # 43 x 43 cells: 3 x 3 lie inside
LAT, LON = np.array([32.25, 32.75, 33.25]), np.array([-102.75, -102.25, -101.75])
ENDS = np.array(["1996-01-16T12", "1996-01-17T00"], dtype="datetime64[ns]")
CONFIG = """\
run: {{start: 1996-01-16, stop: 1996-01-17, step: 6h, window: 12h}}
components:
  inventory: {{plugin: gridded-emissions, options: {{file: prior.nc}}}}
  transport:
    plugin: transport
    surrogate: jacobian-emulator
    run_as: reference
    options:
      weather: {weather}
      region: {{west: -113, east: -91.5, south: 22, north: 43.5}}
      substep: 1080
    surrogate_options: {{checkpoint: net.safetensors}}
exchanges:
  - {{from: inventory.methane_flux, to: transport.methane_flux, regrid: conservative}}
observations: {{operator: column, options: {{file: columns.nc}}}}
control: {{field: inventory.methane_flux, per: cell, prior_error: 0.5}}
solve: {{method: analytical}}
output: {{file: posterior.nc}}
"""


def flux(lat: np.ndarray = LAT, lon: np.ndarray = LON, units: str = "kg m-2 s-1") -> xr.Dataset:
    """Return an inventory, 1e-9 kg m-2 s-1 times 1, 2, 3, ..."""
    values = 1e-9 * (1.0 + np.arange(len(lat) * len(lon)).reshape(len(lat), len(lon)))
    coords = {
        "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east"}),
    }
    return xr.Dataset({"methane_flux": (("lat", "lon"), values, {"units": units})}, coords)


def columns() -> xr.Dataset:
    """Return ten columns at the end of each window, around and downwind of the sources."""
    lat, lon = (part.ravel() for part in np.meshgrid([31.25, 32.75], -103.25 + np.arange(5.0)))
    value = 2.0 + np.sin(np.arange(2 * len(lat)))
    ppb = {"units": "1e-9"}
    coords = {
        "time": ("obs", np.repeat(ENDS, len(lat)), {"standard_name": "time"}),
        "latitude": ("obs", np.tile(lat, 2), {"standard_name": "latitude"}),
        "longitude": ("obs", np.tile(lon, 2), {"standard_name": "longitude"}),
    }
    fields = {"xch4": ("obs", value, ppb), "xch4_uncertainty": ("obs", np.full(len(value), 0.5), ppb)}
    return xr.Dataset(fields, coords)


def checkpoint(path: Path, *, widest: float = 1e9, floor: float = 1e-3) -> None:
    """Write an untrained network: its first guess, which is a plume, is all that it knows.

    `widest` bounds the domain in every entry.
    """
    torch.manual_seed(0)
    scales = Normalisation((0.0,) * 12 + (1.0e5,), (10.0,) * 12 + (1000.0,), 0.01)
    plume = {"particles": 4, "ages": 4, "blends": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))}
    network = CompactNetwork(scales, widths=(4, 4, 8), plume=plume)
    options = TransportOptions.model_validate({"weather": WEATHER, "region": REGION})
    settings = reference_settings(options, timedelta(hours=12))
    eye = tuple(tuple(row) for row in np.eye(27).tolist())
    header = CheckpointHeader(
        **describe(network),
        training_period=("1996-01-05", "1996-01-13"),
        provenance={"reference": settings},
        seed=0,
        domain=Bounds(
            lower=(-widest,) * 27, upper=(widest,) * 27, centre=(0.0,) * 27, whitening=eye, distance=1e9
        ),
        error=ErrorModel(floor=floor, relative=0.1),
    )
    save_checkpoint(path, network, header)


@pytest.fixture(scope="session")
def pieces() -> SimpleNamespace:
    """Return what makes the files of a run, for tests that want other ones."""
    return SimpleNamespace(
        flux=flux, columns=columns, checkpoint=checkpoint, lat=LAT, lon=LON, weather=WEATHER
    )


@pytest.fixture
def small_run(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the small run's files into a folder of its own; returns the config.

    Pairs of texts replace parts of the config.
    """
    if not WEATHER.is_file():
        pytest.skip("the example's winds are not there")

    def write(*changes: tuple[str, str]) -> Path:
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        flux().to_netcdf(folder / "prior.nc")
        columns().to_netcdf(folder / "columns.nc")
        checkpoint(folder / "net.safetensors")
        text = CONFIG.format(weather=WEATHER)
        for old, new in changes:
            if old not in text:
                raise ValueError(f"{old!r} is not in the config")
            text = text.replace(old, new)
        (folder / "run.yaml").write_text(text)
        return folder / "run.yaml"

    return write
