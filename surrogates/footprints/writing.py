"""Footprints as a file that the observation operator ``footprint`` and other programs read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tradewind.surrogates.footprints.emulator import UNITS, FootprintEmulator
from tradewind.surrogates.footprints.observations import Hours, Window, read_hours
from tradewind.surrogates.footprints.situations import Situations


def write_footprints(emulator: FootprintEmulator, weather: Path | str, output: Path | str) -> int:
    """Tell the footprints of a file's hours; return how many could not be told (they are NaN).

    Parameters
    ----------
    weather
        File with the weather at inlets, and the window, of the layout that training reads; its footprints,
        if any, are not looked at.
    output
        NetCDF file (CF) with ``footprint`` and its one-sigma error ``footprint_error``, both
        ``(time, lat, lon)``.

    Raises
    ------
    DataError
        When the weather cannot be read.
    """
    import xarray as xr

    hours, window = read_hours(weather)
    x = Situations.of(hours, window)
    told = emulator.valid(x).numpy() & hours.usable
    fields = {"footprint": emulator(x), "footprint_error": emulator.error(x).sqrt()}
    ds = xr.Dataset(coords=_coordinates(hours, window))
    for name, values in fields.items():
        kept = np.where(told[:, None, None], values.numpy(), np.nan)
        ds[name] = ("time", "lat", "lon"), kept, {"units": UNITS}
    ds["footprint"].attrs["long_name"] = "sensitivity of the mole fraction at the inlet to the surface flux"
    ds["footprint_error"].attrs["long_name"] = "standard deviation of the footprint's error"
    ds.attrs |= {"Conventions": "CF-1.10", "source": "footprint-emulator of tradewind"}
    ds.to_netcdf(output)
    return int((~told).sum())


def _coordinates(hours: Hours, window: Window) -> dict[str, object]:
    time = np.datetime64("1970-01-01", "ns") + np.round(hours.time * 3600).astype("timedelta64[s]")
    centres = ((edges[1:] + edges[:-1]) / 2 for edges in (window.south_north, window.west_east))
    lat, lon = centres
    return {
        "time": time,
        "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
        "latitude": ("time", hours.latitude, {"units": "degrees_north", "long_name": "of the inlet"}),
        "longitude": ("time", hours.longitude, {"units": "degrees_east", "long_name": "of the inlet"}),
    }
