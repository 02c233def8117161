"""Build ``january_1996.nc`` from the storm fields of Debian's package ``libncarg-data``.

Run it with the folder of the package's netCDF files::

    python examples/build_weather.py /usr/share/ncarg/data/cdf examples/january_1996.nc

The fields are cut to the columns that are complete at every latitude (122.5 W to 70 W), the four fields
that are missing as a whole are filled linearly in time, and nothing else is changed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

# file, variable in it, our name, CF standard name, units, height or pressure
FIELDS = (
    ("P", "p", "psl", "air_pressure_at_mean_sea_level", "Pa"),
    ("T", "t", "ta", "air_temperature", "K"),
    ("U", "u", "ua", "eastward_wind", "m s-1"),
    ("V", "v", "va", "northward_wind", "m s-1"),
    ("U500", "u", "ua500", "eastward_wind", "m s-1"),
    ("V500", "v", "va500", "northward_wind", "m s-1"),
)
COMPLETE = slice(-122.5, -70.0)
MISSING = -9999.0


def read(folder: Path, stem: str, name: str) -> xr.DataArray:
    """Read one field of shape (time, lat, lon), with NaN where the file marks missing values."""
    with xr.open_dataset(folder / f"{stem}storm.cdf", decode_times=False, decode_coords=False) as ds:
        start = np.datetime64("1996-01-05T00:00", "ns")
        hours = ds["timestep"].values.astype("timedelta64[h]")
        field = ds[name].load().rename(timestep="time").assign_coords(time=start + hours)
    return field.where(field > MISSING + 1).sel(lon=COMPLETE)


def fill_in_time(field: xr.DataArray) -> tuple[xr.DataArray, list[str]]:
    """Fill steps that are missing as a whole linearly in time; return the field and those steps."""
    empty = field.isnull().all(("lat", "lon"))
    filled = field.interpolate_na("time")
    if bool(filled.isnull().any()):
        raise ValueError(f"{field.name}: values missing that are not whole steps")
    return filled, [str(t)[:16] for t in field.time.values[empty.values]]


def build(folder: Path) -> xr.Dataset:
    """Return the compact dataset, with provenance and licence in its attributes."""
    ds, filled = xr.Dataset(), []
    for stem, name, ours, standard_name, units in FIELDS:
        field, steps = fill_in_time(read(folder, stem, name))
        ds[ours] = field.astype("float32").assign_attrs(standard_name=standard_name, units=units)
        filled += [f"{ours} {step}" for step in steps]
    ds = stack_winds(ds)
    ds["lat"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
    ds["lon"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    ds["time"].attrs = {"standard_name": "time"}
    ds.attrs = attributes(filled)
    return ds


def stack_winds(ds: xr.Dataset) -> xr.Dataset:
    """Put the two wind levels on one pressure axis; the lower one is taken to be 1000 hPa."""
    plev = xr.DataArray(
        np.array([100000.0, 50000.0]),
        dims="plev",
        name="plev",
        attrs={"standard_name": "air_pressure", "units": "Pa", "positive": "down"},
    )
    for name in ("ua", "va"):
        attrs = ds[name].attrs
        ds[name] = xr.concat([ds[name], ds[f"{name}500"]], plev).transpose("time", "plev", "lat", "lon")
        ds[name].attrs = attrs
    return ds.drop_vars(["ua500", "va500"])


def attributes(filled: list[str]) -> dict[str, str]:
    """Return the global attributes: what it is, where it comes from, and under which licence."""
    return {
        "Conventions": "CF-1.10",
        "title": "Six-hourly analyses of North America, 5 to 20 January 1996",
        "source": "Debian package libncarg-data 6.6.2.dfsg.1-1, {P,T,U,V,U500,V500}storm.cdf",
        "institution": "University Corporation for Atmospheric Research",
        "references": "The NCAR Command Language (NCL) 6.6.2, doi:10.5065/D6WD3XH5",
        "license": "BSD-style licence of UCAR; its text is in LICENCE-january_1996.txt beside this file",
        "history": "cut to the columns complete at every latitude (122.5 W to 70 W); missing whole steps "
        "filled linearly in time: " + ", ".join(filled) + "; built by examples/build_weather.py",
        "comment": "The files do not name the level of the lower winds and temperature; over high ground "
        "they look like 1000 hPa values, and 1000 hPa is what plev says. Pressure is at sea level.",
    }


def main() -> None:
    """Read the package's folder and write the compact file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    ds = build(arguments.folder)
    packed = {"zlib": True, "complevel": 9, "shuffle": True, "_FillValue": np.float32(9.96921e36)}
    encoding = dict.fromkeys(ds.data_vars, packed)
    ds.to_netcdf(arguments.output, encoding=encoding | {"time": {"units": "hours since 1996-01-05"}})


if __name__ == "__main__":
    main()
