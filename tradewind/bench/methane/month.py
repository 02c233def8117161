"""A month over the Permian and around it: 243 elements, a satellite's pass every day, simulated weather.

Weather is a mixture of that of January 1996, as the emulator's training draws it: four situations of eight
days, one after the other. Only time and size count here, so that the emulator itself simulates what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.bench.checkout import examples

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.plugins.transport.weather import Weather

    Array: TypeAlias = NDArray[np.float64]

START, DAYS = datetime(1996, 1, 1, 18), 31
SEED = 243
LAT = 31.125 + 0.25 * np.arange(18)
LON = -109.375 + 0.25 * np.arange(54)
"""Cells of the inventory: 9 by 27 tiles of half a degree."""
SITUATION, ANALYSES = 33, timedelta(hours=6)
CELL, SOUNDINGS = 0.5, 8
"""Side of a super-observation, and soundings in it."""
CLEAR, NOISE, BACKGROUND = 0.4, 12.0, 1790.0
SEEN = ((24.0, 40.0), (-114.0, -92.0))

CONFIG = """
run: {{start: {start}, stop: {stop}, step: 6h, window: 12h}}
components:
  inventory: {{plugin: gridded-emissions, options: {{file: inventory.nc}}}}
  transport:
    plugin: transport
    surrogate: jacobian-emulator
    run_as: surrogate
    options:
      weather: weather.nc
      region: {{west: -122.5, east: -70, south: 20, north: 60}}
      spacing: 0.5
      substep: 480
    surrogate_options: {{checkpoint: {checkpoint}}}
exchanges:
  - {{from: inventory.methane_flux, to: transport.methane_flux, regrid: conservative}}
observations:
  operator: column
  options: {{file: columns.nc, background: background}}
  superobs: {{length: 0.5, distance: degrees, correlation: 0.55, transport_error: 4.5}}
control: {{field: inventory.methane_flux, per: cluster, tile: 0.5, prior_error: 0.5}}
solve: {{method: analytical}}
"""


def build(folder: Path) -> Path:
    """Write weather, inventory, columns and config; return the config."""
    weather().to_netcdf(folder / "weather.nc")
    inventory().to_netcdf(folder / "inventory.nc")
    config = folder / "month.yaml"
    stop = START + timedelta(days=DAYS)
    text = CONFIG.format(
        start=f"{START:%Y-%m-%dT%H:%M}",
        stop=f"{stop:%Y-%m-%dT%H:%M}",
        checkpoint=examples() / "permian.safetensors",
    )
    config.write_text(text, encoding="utf-8")
    file = folder / "columns.nc"
    columns(np.full(_places()[0].size, BACKGROUND)).to_netcdf(file)
    clean = simulated(config)
    file.unlink()
    columns(clean).to_netcdf(file)
    return config


def simulated(config: Path) -> Array:
    """Return what the emulator makes of true emissions at every sounding, ppb."""
    from tradewind.assembly import assemble

    assembly = assemble(config, ["observations.superobs=null"])
    model = assembly.model()
    factors = np.random.default_rng((SEED, 3)).lognormal(0.0, 0.5, size=len(model.control.prior))
    truth, observed = torch.from_numpy(factors), model.observe.windows(assembly.windows)
    parts = [model(truth, window).detach().numpy() for window in assembly.windows if len(observed[window])]
    return np.concatenate(parts)


def weather() -> xr.Dataset:
    """Return six-hourly winds and pressure of the month."""
    import xarray as xr

    from tradewind.plugins.jacobian_emulator.weather.simulated import Simulator
    from tradewind.plugins.transport.weather import Weather

    with xr.open_dataset(examples() / "january_1996.nc") as ds:
        source = ds.load()
    simulator = Simulator(Weather.from_dataset(source), SITUATION)
    drawn = [simulator.draw(SEED + number) for number in range(4)]
    u, v, pressure = (torch.cat([getattr(one, name)[1:] for one in drawn]) for name in FIELDS)
    return _dataset(replace(drawn[0], u=u, v=v, pressure=pressure), source)


FIELDS = {"u": "ua", "v": "va", "pressure": "psl"}


def _dataset(found: Weather, source: xr.Dataset) -> xr.Dataset:
    """Return weather with the names and units of `source`, from the month's start."""
    import xarray as xr

    times = np.datetime64(START, "ns") + np.timedelta64(6, "h") * np.arange(len(found.u))
    out = xr.Dataset(
        coords={
            "time": times.astype("datetime64[ns]"),
            "plev": ("plev", found.levels.numpy(), source["plev"].attrs),
            "lat": ("lat", found.lat.numpy(), source["lat"].attrs),
            "lon": ("lon", found.lon.numpy(), source["lon"].attrs),
        }
    )
    for name, theirs in FIELDS.items():
        values = getattr(found, name).numpy()
        dims = ("time", "plev", "lat", "lon") if values.ndim == 4 else ("time", "lat", "lon")
        out[theirs] = (dims, values, source[theirs].attrs)
    return out


def inventory() -> xr.Dataset:
    """Return an uneven flux that is nowhere zero."""
    import xarray as xr

    draw = np.random.default_rng(SEED)
    flux = 3e-10 * draw.lognormal(0.0, 0.8, size=(len(LAT), len(LON)))
    return xr.Dataset(
        {"methane_flux": (("lat", "lon"), flux, {"units": "kg m-2 s-1", "standard_name": "methane_flux"})},
        coords={
            "lat": ("lat", LAT, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", LON, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )


def _places() -> tuple[Array, Array, NDArray[np.datetime64]]:
    """Return latitude, longitude and time of all soundings: eight in every clear cell, once a day."""
    draw = np.random.default_rng((SEED, 1))
    rows, cols = (np.arange(low, high, CELL) for low, high in SEEN)
    parts = list(_passes(draw, rows, cols))
    lat, lon, day = (np.concatenate(each) for each in zip(*parts, strict=True))
    noon = np.datetime64(START, "ns") + np.timedelta64(24, "h") * (day + 1)
    return lat, lon, noon.astype("datetime64[ns]")


def _passes(
    draw: np.random.Generator, rows: Array, cols: Array
) -> Iterator[tuple[Array, Array, NDArray[np.int64]]]:
    for day in range(DAYS):
        south, west = (each.ravel() for each in np.meshgrid(rows, cols, indexing="ij"))
        clear = draw.random(south.size) < CLEAR
        low, left = (np.repeat(each[clear], SOUNDINGS) for each in (south, west))
        lat, lon = (each + CELL * draw.random(each.size) for each in (low, left))
        yield lat, lon, np.full(lat.size, day, dtype=np.int64)


def columns(clean: Array) -> xr.Dataset:
    """Return soundings of columns `clean`, ppb, with noise."""
    import xarray as xr

    lat, lon, time = _places()
    noisy = clean + NOISE * np.random.default_rng((SEED, 2)).standard_normal(clean.size)
    ppb = {"units": "1e-9"}
    return xr.Dataset(
        {
            "xch4": ("obs", noisy, ppb),
            "xch4_uncertainty": ("obs", np.full(clean.size, NOISE), ppb),
            "background": ("obs", np.full(clean.size, BACKGROUND), ppb),
        },
        coords={
            "time": ("obs", time),
            "latitude": ("obs", lat, {"units": "degrees_north"}),
            "longitude": ("obs", lon, {"units": "degrees_east"}),
        },
    )
