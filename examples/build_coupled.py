"""Build the twin of ``coupled.yaml``: ``coupled_wetlands.nc`` and ``coupled_columns.nc``.

Two sources emit: the basins of the Permian twin, whose truth and prior this script does not change, and
wetlands, which are prescribed. Nothing in the wetlands is measured. They stand on a grid of 1 degree, four
times coarser than the inventory's: playa lakes on the southern High Plains (0.12 Tg a year) and bottomlands
along the Red River (0.35 Tg a year), each a hill of given widths, where such places are, and north of 30
degrees, since the emulator looks 10 degrees around and the model's box begins at 20. Their emissions follow
the sun: 1 + 0.6 cos(2 pi (h - 14) / 24) times the mean, h hours of local solar time, so that the mean over a
day is the mean.

The truth knows both fluxes hour by hour. The example's exchange gives the model means over 6 hours, 6 hours
late, and that is one more thing in which its inversion is not perfect; the others are as in
``build_twin.py``. Run it from the repository's root, after that script::

    python examples/build_coupled.py examples
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import build_twin
import numpy as np
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.plugins.transport.model import Transport

SEED = 1997
HOUR = timedelta(hours=1)
LAT = np.arange(30.5, 38.0, 1.0)
LON = np.arange(-105.5, -89.0, 1.0)
WETLANDS = ((33.8, -102.0, 1.2, 0.9, 0.12), (33.5, -95.5, 1.0, 1.2, 0.35))
"""Latitude, longitude, widths in degrees to the north and east, and what each emits, Tg a year."""
AMPLITUDE, PEAK = 0.6, 14.0
CLOCK = replace(build_twin.CLOCK, step=HOUR)


def mean_flux(grid: Grid) -> np.ndarray:
    """Return the mean over a day, kg m-2 s-1, shape (lat, lon)."""
    hills = ((build_twin.bell(*where, onto=(LAT, LON)), total) for *where, total in WETLANDS)
    return sum(build_twin.scaled(hill, total, grid) for hill, total in hills)


def course(hour: np.ndarray) -> np.ndarray:
    """Return the factor on the mean at an hour of the day in UTC, shape (..., lon); its mean is 1."""
    local = hour[..., None] + LON / 15.0
    return 1.0 + AMPLITUDE * np.cos(2.0 * np.pi * (local - PEAK) / 24.0)


def wetlands(grid: Grid) -> xr.Dataset:
    """Return the flux, every three hours from half a day before the run to half a day after it."""
    margin, every = timedelta(hours=12), timedelta(hours=3)
    times = np.arange(CLOCK.start - margin, CLOCK.stop + margin + every, every, dtype="datetime64[h]")
    hour = (times - times.astype("datetime64[D]")).astype(float)
    mean = mean_flux(grid)
    ds = build_twin.emission_dataset(mean, "Wetlands of the coupled twin", (LAT, LON))
    name = "surface flux of methane from wetlands"
    ds = ds.rename(methane_flux="mean_flux")
    ds["mean_flux"].attrs |= {"long_name": f"mean over a day of the {name}"}
    values = (course(hour)[:, None] * mean).astype("float32")
    ds["methane_flux"] = (("time", "lat", "lon"), values, {"units": "kg m-2 s-1", "long_name": name})
    return ds.assign_coords(time=("time", times.astype("datetime64[ns]"), {"standard_name": "time"}))


def true_flux(transport: Transport, folder: Path, grid: Grid) -> dict[int, torch.Tensor]:
    """Return both true fluxes together on the model's grid by hour of the day, shape (1, cell)."""
    with xr.open_dataset(folder / "permian_truth.nc") as ds:
        basins = torch.from_numpy(ds["methane_flux"].values.reshape(1, -1))
        emitted = build_twin.onto_transport(transport, Grid.from_dataset(ds)).forward(basins)
    carry = build_twin.onto_transport(transport, grid)
    # of an hour, the middle
    field = course(np.arange(24) + 0.5)[:, None] * mean_flux(grid)
    whole = emitted + carry.forward(torch.from_numpy(field).reshape(24, -1))
    return {hour: flux[None] for hour, flux in enumerate(whole)}


def main() -> None:
    """Write the two files into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    grid, transport = Grid.latlon(LAT, LON), build_twin.sharper_transport(folder)
    hourly = true_flux(transport, folder, grid)

    def emitted(interval: Interval) -> torch.Tensor:
        return hourly[interval.start.hour]

    simulated = build_twin.simulate(transport, emitted, CLOCK)
    columns = build_twin.observe(transport, simulated, np.random.default_rng(SEED))
    columns.attrs["title"] = "Simulated columns of the coupled twin"
    script = Path(__file__).name
    build_twin.write(wetlands(grid), folder / "coupled_wetlands.nc", script, SEED)
    build_twin.write(columns, folder / "coupled_columns.nc", script, SEED)


if __name__ == "__main__":
    main()
