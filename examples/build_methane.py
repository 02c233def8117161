"""Build the data of ``methane.yaml``: ``methane_inventory.nc`` and the folder ``methane_orbits``.

Nothing in it is measured but the winds (``january_1996.nc``). Two sectors emit between 30.5 and 40 N, 108 and
94 W: oil and gas with hot spots that the prior does not know, and livestock that differs from it by a smooth
factor; the prior's total is 40 % too low. Air that enters through the sides of the model's box carries a few
ppb more or less than the background of the retrieval says. Orbits hold several soundings a cell, with gaps as
under broken clouds; their columns are simulated with a sharper advection scheme than the inversion's. Run it
from the repository's root::

    python examples/build_methane.py examples
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from build_twin import BACKGROUND, CLOCK, WINDOW, onto_transport, scaled, sharper_transport, simulate, write

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.grids import Grid
from tradewind.plugins.background.model import Background
from tradewind.plugins.background.options import BackgroundOptions
from tradewind.plugins.transport.options import Region

SEED, SCRIPT = 2026, "build_methane.py"
REGION = Region(west=-122.5, east=-70.0, south=20.0, north=60.0)
LAT = np.arange(30.75, 40.0, 0.5)
LON = np.arange(-107.75, -94.0, 0.5)
TRUE_TOTALS = {"oil_gas": 5.0, "livestock": 2.5}
"""Tg a year."""
PRIOR_SHARE = 0.6
BASINS = ((31.9, -103.6, 0.8, 1.0, 1.0), (31.9, -101.9, 0.9, 0.7, 0.8), (35.6, -99.5, 0.9, 1.3, 0.5))
PASTURES = ((36.2, -102.2, 1.2, 1.6, 1.0), (37.6, -98.0, 1.8, 2.0, 0.5))
BOUNDARY = (4.0, 0.0, -5.0, 3.0)
"""What air from the north, the east, the south and the west carries more than the background says, ppb."""
NOISE, SHARED = 7.0, 0.55
"""Error of one sounding, ppb, and the correlation of those in one cell."""
CLEAR, PER_CELL = 0.4, 2.5
"""Share of the cells that are clear, and soundings in one of them."""


@dataclass(frozen=True)
class Emissions:
    """Flux of each sector, kg m-2 s-1, shape ``(lat, lon)``."""

    truth: dict[str, np.ndarray]
    prior: dict[str, np.ndarray]


def hills(places: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Return a sum of Gaussian hills on a low plain."""
    field = np.full((len(LAT), len(LON)), 0.02)
    for lat, lon, north, east, weight in places:
        north_south = ((LAT - lat) / north)[:, None] ** 2
        field += weight * np.exp(-0.5 * (north_south + ((LON - lon) / east)[None] ** 2))
    return field


def hot_spots(outline: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return sixty spots of lognormal strength where the outline is, each one cell wide."""
    field = np.zeros(outline.shape)
    cells = generator.choice(outline.size, size=60, p=(outline / outline.sum()).ravel())
    np.add.at(field.ravel(), cells, generator.lognormal(0.0, 1.0, size=60))
    return field


def smooth_factor(generator: np.random.Generator) -> np.ndarray:
    """Return a factor that changes over some 300 km."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(generator.standard_normal((len(LAT), len(LON))), 6.0, mode="nearest")
    return np.exp(0.4 * noise / noise.std())


def emissions(generator: np.random.Generator, grid: Grid) -> Emissions:
    """Return the true and the prior flux of both sectors."""
    wells, cattle = hills(BASINS), hills(PASTURES)
    spots = hot_spots(wells, generator)
    true = {
        "oil_gas": wells / wells.sum() + spots / spots.sum(),
        "livestock": cattle * smooth_factor(generator),
    }
    known = {"oil_gas": wells, "livestock": cattle}
    return Emissions(
        {name: scaled(field, TRUE_TOTALS[name], grid) for name, field in true.items()},
        {name: scaled(field, PRIOR_SHARE * TRUE_TOTALS[name], grid) for name, field in known.items()},
    )


def inventory(fluxes: dict[str, np.ndarray]) -> xr.Dataset:
    """Return the fluxes of the sectors as CF data."""
    coords = {
        "lat": ("lat", LAT, {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("lon", LON, {"standard_name": "longitude", "units": "degrees_east"}),
    }
    fields = {
        name: (("lat", "lon"), flux, {"units": "kg m-2 s-1", "long_name": f"methane emission, {name}"})
        for name, flux in fluxes.items()
    }
    return xr.Dataset(fields, coords, {"title": "Prior methane emissions of the methane example"})


def from_sides(folder: Path) -> dict[datetime, np.ndarray]:
    """Return what the air from the sides carries more than the background says, ppb, as `simulate` does."""
    options = BackgroundOptions(
        weather=folder / "january_1996.nc", region=REGION, substep=480.0, spin_up=timedelta(days=10)
    )
    component = Background(options)
    component.asked({"methane_column", "boundary"})
    component.verify(CLOCK)
    parameters = {"boundary": torch.tensor([BOUNDARY], dtype=torch.float64)}
    parameters |= {"oh": torch.ones(1, 2, dtype=torch.float64)}
    found = {}
    for window in CLOCK.windows(WINDOW):
        exports, _ = component.step(State(), {}, parameters, Interval(window.start, window.stop))
        found[window.stop] = exports["methane_column"].reshape(component.transport.domain.shape).numpy()
    return found


def orbit(
    time: datetime, column: np.ndarray, axes: tuple[np.ndarray, np.ndarray], generator: np.random.Generator
) -> xr.Dataset:
    """Return the soundings of one time in clear cells around the sources, some of them flagged as bad."""
    lat, lon = axes
    here = ((lat > 29) & (lat < 41))[:, None] & ((lon > -109) & (lon < -92))[None]
    clear = here & (generator.random(here.shape) < CLEAR)
    i, j = np.nonzero(clear)
    count = 1 + generator.poisson(PER_CELL - 1.0, size=len(i))
    i, j = np.repeat(i, count), np.repeat(j, count)
    at_lat, at_lon = (axis[k] + generator.uniform(-0.24, 0.24, len(k)) for axis, k in ((lat, i), (lon, j)))
    # part of the error is shared by the soundings of a cell, as in the super-observations' error model
    shared = generator.standard_normal(column.shape)[i, j]
    noise = NOISE * (np.sqrt(SHARED) * shared + np.sqrt(1.0 - SHARED) * generator.standard_normal(len(i)))
    background = BACKGROUND + 1.5 * (at_lat - 34.0)
    quality = np.where(generator.random(len(i)) < 0.05, 0.2, 1.0)
    value = np.where(quality < 0.5, 1.3, 1.0) * (background + column[i, j] + noise)
    return soundings(time, (at_lat, at_lon), (value, background, quality))


def soundings(
    time: datetime, place: tuple[np.ndarray, np.ndarray], values: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> xr.Dataset:
    """Return soundings as CF data."""
    ppb, (value, background, quality) = {"units": "1e-9"}, values
    stamp = np.full(len(value), np.datetime64(time, "ns"))
    name = "dry-air column-average mole fraction of methane"
    return xr.Dataset(
        {
            "time": ("obs", stamp, {"standard_name": "time"}),
            "latitude": ("obs", place[0].astype("float32"), {"units": "degrees_north"}),
            "longitude": ("obs", place[1].astype("float32"), {"units": "degrees_east"}),
            "xch4": ("obs", value.astype("float32"), ppb | {"long_name": name}),
            "xch4_uncertainty": ("obs", np.full(len(value), NOISE, "float32"), ppb),
            "background": ("obs", background.astype("float32"), ppb),
            "qa_value": ("obs", quality.astype("float32"), {"units": "1", "long_name": "good above 0.5"}),
        },
        attrs={"title": "Simulated soundings of the methane example"},
    )


def main() -> None:
    """Write the inventory and the orbits into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    generator, grid = np.random.default_rng(SEED), Grid.latlon(LAT, LON)
    made, transport = emissions(generator, grid), sharper_transport(folder)
    whole = torch.from_numpy(sum(made.truth.values())).reshape(1, -1)
    emitted = onto_transport(transport, grid).forward(whole)
    columns, inflow = simulate(transport, lambda _: emitted), from_sides(folder)
    write(inventory(made.prior), folder / "methane_inventory.nc", SCRIPT, SEED)
    (folder / "methane_orbits").mkdir(exist_ok=True)
    axes = (transport.domain.lat.numpy(), transport.domain.lon.numpy())
    for time, column in columns.items():
        seen = orbit(time, column + inflow[time], axes, generator)
        write(seen, folder / "methane_orbits" / f"{time:%Y%m%dT%H}.nc", SCRIPT, SEED)


if __name__ == "__main__":
    main()
