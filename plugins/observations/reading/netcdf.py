"""Variables of a netCDF file, by name or standard name, in the units that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.coupling.units import convert
from tradewind.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def opened(file: Path) -> xr.Dataset:
    """Return what a file holds.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    import xarray as xr

    try:
        return xr.open_dataset(file)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {reason(error)}", where=str(file)) from error


def reason(error: Exception) -> str:
    """Return why a library cannot read a file, without the file's name where it is told apart."""
    return str((isinstance(error, OSError) and error.strerror) or error)


def find(ds: xr.Dataset, name: str, where: str) -> xr.DataArray:
    """Return the variable called `name`, or else the one of that standard name.

    Raises
    ------
    DataError
        When there is none, or several are of that standard name.
    """
    if name in ds.variables:
        return ds[name]
    named = [str(k) for k in ds.variables if ds[k].attrs.get("standard_name") == name]
    if len(named) != 1:
        what = f"{len(named)} variables have the standard name {name!r}" if named else f"no variable {name!r}"
        raise DataError(what, where=where, hint=did_you_mean(name, map(str, ds.variables)))
    return ds[named[0]]


def converted(variable: xr.DataArray, units: str, where: str) -> Array:
    """Return values in `units`, float64.

    Raises
    ------
    UnitsError
        When the variable has no units, or others.
    """
    values = np.asarray(variable.values, dtype=np.float64)
    return convert(values, units_of(variable), units, f"{where}, {variable.name}")


def units_of(variable: xr.DataArray) -> str:
    """Return the units of a variable; empty where it has none."""
    return str(variable.attrs.get("units", ""))
