"""Build the twin over the Permian: ``permian_prior.nc``, ``permian_truth.nc`` and ``permian_columns.nc``.

Nothing in it is measured but the winds. The true emissions are two broad basins and forty hot spots drawn
with a seed, 3.2 Tg a year in all. The prior knows the basins' outline, none of the hot spots, and is 40 % too
low. The columns are simulated with the sharper of the two advection schemes (van Leer) and half the
substep, so that the inversion's own reference model (upwind) is not perfect either, and carry noise and gaps
as under broken clouds. Run it from the repository's root::

    python examples/build_twin.py examples
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.plugins.transport.model import COLUMN, FLUX, Transport
from tradewind.plugins.transport.options import Region, TransportOptions

SEED = 1996
SECONDS_PER_YEAR = 365.25 * 86400
EARTH_RADIUS = 6_371_000.0
TRUE_TOTAL, PRIOR_TOTAL = 3.2, 1.92
NOISE, CLEAR = 3.0, 0.6
BACKGROUND = 1790.0
LAT = np.arange(30.625, 34.0, 0.25)
LON = np.arange(-105.375, -100.0, 0.25)
BASINS = ((31.9, -103.6, 0.8, 1.0, 1.0), (31.9, -101.9, 0.9, 0.7, 0.8))
WINDOW = timedelta(hours=12)
CLOCK = Clock(datetime(1996, 1, 15, 18), datetime(1996, 1, 20, 18), timedelta(hours=6))


def bell(
    lat: float, lon: float, north: float, east: float, onto: tuple[np.ndarray, np.ndarray] = (LAT, LON)
) -> np.ndarray:
    """Return a Gaussian hill of given widths in degrees, shape (lat, lon)."""
    lats, lons = onto
    return np.exp(-0.5 * (((lats - lat) / north)[:, None] ** 2 + ((lons - lon) / east)[None] ** 2))


def basins() -> np.ndarray:
    """Return the shape that both truth and prior know."""
    return 0.03 + sum(weight * bell(*where) for *where, weight in BASINS)


def hot_spots(generator: np.random.Generator) -> np.ndarray:
    """Return forty spots of lognormal strength, near the basins, each one cell wide."""
    field = np.zeros((len(LAT), len(LON)))
    chance = (basins() / basins().sum()).ravel()
    cells = generator.choice(field.size, size=40, p=chance)
    np.add.at(field.ravel(), cells, generator.lognormal(0.0, 1.0, size=40))
    return field


def scaled(field: np.ndarray, total: float, grid: Grid) -> np.ndarray:
    """Return the field as a flux, kg m-2 s-1, whose total is `total` Tg a year."""
    area = grid.area.reshape(field.shape) * EARTH_RADIUS**2
    return field * (total * 1e9 / SECONDS_PER_YEAR / (field * area).sum())


def fluxes(generator: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the prior flux, kg m-2 s-1, shape (lat, lon)."""
    spots = hot_spots(generator)
    truth = basins() / basins().sum() + spots / spots.sum()
    return scaled(truth, TRUE_TOTAL, grid), scaled(basins(), PRIOR_TOTAL, grid)


def onto_transport(transport: Transport, grid: Grid) -> Regridder:
    """Return what brings a flux of shape (..., cell) from its own grid onto the model's."""
    # a flux: divided by whole cells, or the ones that the inventory touches by a sliver would take it in full
    target = transport.describe().imports[0].grid
    return Regridder.build(grid, target, "conservative", norm="dstarea", backend="native")


def simulate(
    transport: Transport, emitted: Callable[[Interval], torch.Tensor], clock: Clock = CLOCK
) -> dict[datetime, np.ndarray]:
    """Return the columns, 1e-9, shape (lat, lon), at the end of every window, each from clean air.

    `emitted` gives the flux of a step of the clock on the model's grid, shape (1, cell).
    """
    spec = transport.describe()
    target = spec.imports[0].grid
    layouts = {v.name: Layout(target) for v in (*spec.imports, *spec.exports, *spec.state)}
    found = {}
    for window in clock.windows(WINDOW):
        state = transport.initialize(spec, layouts, 1)
        for interval in clock.between(window.start, window.stop):
            exports, state = transport.step(state, {FLUX: emitted(interval)}, {}, interval)
        found[window.stop] = exports[COLUMN].reshape(transport.domain.shape).numpy()
    return found


def observe(
    transport: Transport, columns: dict[datetime, np.ndarray], generator: np.random.Generator
) -> xr.Dataset:
    """Return noisy columns at clear cells between 28 and 36 N, 108 and 97 W."""
    lat, lon = transport.domain.lat.numpy(), transport.domain.lon.numpy()
    here = ((lat > 28) & (lat < 36))[:, None] & ((lon > -108) & (lon < -97))[None]
    rows = []
    for time, column in columns.items():
        clear = here & (generator.random(here.shape) < CLEAR)
        i, j = np.nonzero(clear)
        background = BACKGROUND + 1.5 * (lat[i] - 32.0)
        noise = NOISE * generator.standard_normal(len(i))
        stamp = np.full(len(i), np.datetime64(time, "ns"))
        rows.append((stamp, lat[i], lon[j], background + column[i, j] + noise, background))
    time, at_lat, at_lon, value, background = (np.concatenate(part) for part in zip(*rows, strict=True))
    ppb = {"units": "1e-9"}
    name = "dry-air column-average mole fraction of methane"
    return xr.Dataset(
        {
            "xch4": ("obs", value.astype("float32"), ppb | {"long_name": name}),
            "xch4_uncertainty": (
                "obs",
                np.full(len(value), NOISE, "float32"),
                ppb | {"long_name": f"error of {name}"},
            ),
            "background": (
                "obs",
                background.astype("float32"),
                ppb | {"long_name": "column before the window's emissions"},
            ),
        },
        coords={
            "time": ("obs", time, {"standard_name": "time"}),
            "latitude": ("obs", at_lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "longitude": ("obs", at_lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    )


def emission_dataset(
    flux: np.ndarray, title: str, onto: tuple[np.ndarray, np.ndarray] = (LAT, LON)
) -> xr.Dataset:
    """Return a flux as a CF dataset."""
    attrs = {"units": "kg m-2 s-1", "long_name": "surface flux of methane"}
    coords = {
        "lat": ("lat", onto[0], {"standard_name": "latitude", "units": "degrees_north"}),
        "lon": ("lon", onto[1], {"standard_name": "longitude", "units": "degrees_east"}),
    }
    return xr.Dataset({"methane_flux": (("lat", "lon"), flux, attrs)}, coords, {"title": title})


def write(ds: xr.Dataset, path: Path, script: str = "build_twin.py", seed: int = SEED) -> None:
    """Write a dataset with its provenance."""
    ds.attrs |= {
        "Conventions": "CF-1.10", "license": "CC0-1.0", "source": f"simulated twin, seed {seed}",
        "history": f"built by examples/{script}",
    }  # fmt: skip
    ds.to_netcdf(path, encoding={name: {"zlib": True, "complevel": 9} for name in ds.data_vars})


def sharper_transport(folder: Path) -> Transport:
    """Return the model that makes the truth: van Leer's scheme, half the substep."""
    region = Region(west=-122.5, east=-70.0, south=20.0, north=60.0)
    weather = folder / "january_1996.nc"
    return Transport(TransportOptions(weather=weather, region=region, scheme="van_leer", substep=270.0))


def main() -> None:
    """Write the three files into the folder that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    generator = np.random.default_rng(SEED)
    grid = Grid.latlon(LAT, LON)
    truth, prior = fluxes(generator, grid)
    transport = sharper_transport(folder)
    emitted = onto_transport(transport, grid).forward(torch.from_numpy(truth).reshape(1, -1))
    write(emission_dataset(prior, "Prior methane emissions of the Permian twin"), folder / "permian_prior.nc")
    write(emission_dataset(truth, "True methane emissions of the Permian twin"), folder / "permian_truth.nc")
    columns = observe(transport, simulate(transport, lambda _: emitted), generator)
    columns.attrs["title"] = "Simulated columns of the Permian twin"
    write(columns, folder / "permian_columns.nc")


if __name__ == "__main__":
    main()
