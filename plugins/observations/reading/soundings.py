"""Observations along one dimension of a netCDF file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.errors import DataError
from tradewind.plugins.observations.reading.netcdf import converted, find, opened, units_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.plugins.observations.options import SoundingOptions

    Array: TypeAlias = NDArray[np.float64]
    Times: TypeAlias = NDArray[np.datetime64]
    Flags: TypeAlias = NDArray[np.bool_]
    Indices: TypeAlias = NDArray[np.int64]

UTMOST_LATITUDE = 90.0


@dataclass(frozen=True)
class Soundings:
    """Observations as read: values in the operator's units, sigma their errors.

    Attributes
    ----------
    time, latitude, longitude, value, sigma, background
        Shape ``(m,)``.
    number
        Position in the file, shape ``(m,)``.
    more
        What an operator needs besides (heights, kernels by layer), by name, shape ``(m, ...)``, as it
        stands in the file.
    units
        Units of these, by name.
    """

    time: Times
    latitude: Array
    longitude: Array
    value: Array
    sigma: Array
    background: Array
    number: Indices
    more: Mapping[str, Array] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.value)

    def take(self, which: Flags | Indices) -> Soundings:
        """Return some of them, in the order of `which`."""
        return Soundings(
            self.time[which], self.latitude[which], self.longitude[which], self.value[which],
            self.sigma[which], self.background[which], self.number[which],
            {name: values[which] for name, values in self.more.items()}, self.units,
        )  # fmt: skip

    def faults(self) -> Iterator[tuple[str, Flags]]:
        """Yield why an observation cannot be used, and which are so."""
        yield "its value is missing", ~np.isfinite(self.value)
        yield "its uncertainty is missing or not positive", ~(np.isfinite(self.sigma) & (self.sigma > 0))
        yield "its time is missing", np.isnat(self.time)
        on_earth = np.isfinite(self.longitude) & (np.abs(self.latitude) <= UTMOST_LATITUDE)
        yield "its place is missing or not on earth", ~on_earth
        yield "its background is missing", ~np.isfinite(self.background)
        for name, values in self.more.items():
            missing = ~np.isfinite(values.reshape(len(values), -1))
            yield f"its {name} is missing", np.asarray(missing.any(axis=1))


def read(options: SoundingOptions, units: str, more: Mapping[str, str]) -> Soundings:
    """Return all observations of the file that `options` name.

    Parameters
    ----------
    units
        What values, errors and background are converted to.
    more
        What else is read: name in the file by what it is called in `Soundings.more`, as it stands there.

    Raises
    ------
    DataError
        A file that cannot be read, or lacks a variable.
    UnitsError
        Units that are missing or cannot be converted.
    """
    where = str(options.file)
    with opened(options.file) as ds:
        return _soundings(ds.load(), options, units, {k: find(ds, name, where) for k, name in more.items()})


def _soundings(
    ds: xr.Dataset, options: SoundingOptions, units: str, more: Mapping[str, xr.DataArray]
) -> Soundings:
    where = str(options.file)
    value = find(ds, options.variable, where)
    sigma = find(ds, options.uncertainty or f"{value.name}_uncertainty", where)
    time, *place = (find(ds, name, where) for name in ("time", "latitude", "longitude"))
    if not np.issubdtype(time.dtype, np.datetime64):
        what = f"times are {time.dtype}"
        raise DataError(what, where=f"{where}, {time.name}", hint="use the standard calendar")
    background = [] if options.background is None else [find(ds, options.background, where)]
    _refuse_other_dimensions(value, [sigma, time, *place, *background], where)
    before = converted(background[0], units, where) if background else np.zeros(value.shape)
    latitude, longitude = (np.asarray(p.values, dtype=np.float64) for p in place)
    return Soundings(
        time.values.astype("datetime64[ns]"), latitude, longitude, converted(value, units, where),
        converted(sigma, units, where), before, np.arange(len(value)),
        {name: _along(value, found, where) for name, found in more.items()},
        {name: units_of(found) for name, found in more.items()},
    )  # fmt: skip


def _refuse_other_dimensions(value: xr.DataArray, others: list[xr.DataArray], where: str) -> None:
    for other in others:
        if other.dims != value.dims or value.ndim != 1:
            what = f"{other.name} has dimensions {other.dims}, {value.name} {value.dims}"
            raise DataError(what, where=where, hint="put all observations along one dimension")


def _along(value: xr.DataArray, other: xr.DataArray, where: str) -> Array:
    if other.dims[:1] != value.dims:
        what = f"{other.name} has dimensions {other.dims}, its first should be {value.dims[0]!r}"
        raise DataError(what, where=where)
    return np.asarray(other.values, dtype=np.float64)
