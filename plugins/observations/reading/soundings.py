"""Observations of a stream: read file by file, and joined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.coupling.units import factor
from tradewind.errors import DataError
from tradewind.plugins.observations.options import SoundingOptions
from tradewind.plugins.observations.reading.formats import FORMATS
from tradewind.plugins.observations.reading.netcdf import converted, find, units_of

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Times: TypeAlias = NDArray[np.datetime64]
    Flags: TypeAlias = NDArray[np.bool_]
    Indices: TypeAlias = NDArray[np.int64]

UTMOST_LATITUDE = 90.0
ONE_BY_ONE = ("time", "latitude", "longitude", "value", "sigma", "background", "number")
QUALITY = "quality variable "
"""Before the names of quality variables, in `Soundings.more`."""


@dataclass(frozen=True)
class Soundings:
    """Observations as read: values in the operator's units, sigma their errors.

    Attributes
    ----------
    time, latitude, longitude, value, sigma, background
        Shape ``(m,)``.
    number
        Position in the file, shape ``(m,)``; of several files, among all that they hold.
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

    def like(self, first: Soundings, where: str) -> Soundings:
        """Return the same with whatever `more` it has in the units of another file's.

        Raises
        ------
        DataError
            When it has other layers.
        UnitsError
            When units cannot be converted.
        """
        more = dict(self.more)
        for name, values in self.more.items():
            if values.shape[1:] != first.more[name].shape[1:]:
                what = f"{name} of shape {values.shape[1:]}, other files have {first.more[name].shape[1:]}"
                raise DataError(what, where=where)
            if self.units[name] != first.units[name]:
                more[name] = values * factor(self.units[name], first.units[name])
        return replace(self, more=more, units=first.units)

    def faults(self) -> Iterator[tuple[str, Flags]]:
        """Yield why an observation cannot be used, and which are so."""
        yield "its value is missing", ~np.isfinite(self.value)
        yield "its uncertainty is missing or not positive", ~(np.isfinite(self.sigma) & (self.sigma > 0))
        yield "its time is missing", np.isnat(self.time)
        on_earth = np.isfinite(self.longitude) & (np.abs(self.latitude) <= UTMOST_LATITUDE)
        yield "its place is missing or not on earth", ~on_earth
        yield "its background is missing", ~np.isfinite(self.background)
        for name, values in self.more.items():
            inner = tuple(range(1, values.ndim))
            yield f"its {name} is missing", np.asarray((~np.isfinite(values)).any(axis=inner))


def joined(parts: Sequence[Soundings], sizes: Sequence[int]) -> Soundings:
    """Return the observations of several files as one, in order; see `Soundings.like`.

    Parameters
    ----------
    sizes
        How many each file holds, with those that are no longer there.
    """
    begins = np.cumsum([0, *sizes[:-1]])
    parts = [replace(p, number=p.number + begin) for p, begin in zip(parts, begins, strict=True)]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ONE_BY_ONE}
    more = {name: np.concatenate([part.more[name] for part in parts]) for name in parts[0].more}
    return Soundings(**columns, more=more, units=parts[0].units)


class Reader:
    """Reads the observations of one file after the other, by the format that settings name.

    Parameters
    ----------
    options
        Which variables are read.
    units
        What values, errors and background are converted to.
    more
        What else is read: name in the file by what it is called in `Soundings.more`, as it stands there.
    """

    def __init__(self, options: SoundingOptions, units: str, more: Mapping[str, str]) -> None:
        self.options, self.units, self.format = options, units, FORMATS[options.format]
        self.ranges = self.format.ranges(options)
        self.more = {**more, **{f"{QUALITY}{name}": name for name in self.ranges}}
        told = "variable" in options.model_fields_set or not self.format.variable
        self.variable = options.variable if told else self.format.variable
        self.uncertainty = options.uncertainty or self.format.uncertainty
        self._first: Soundings | None = None

    def __call__(self, file: Path) -> Soundings:
        """Return all observations of a file.

        Raises
        ------
        DataError
            A file that cannot be read, lacks a variable, or holds other layers than the first.
        UnitsError
            Units that are missing or cannot be converted.
        """
        with self.format.opened(file, self.names) as ds:
            found = self._soundings(ds, str(file))
        if self._first is None:
            # its units and layers are what is compared with
            self._first = found.take(np.zeros(0, dtype=np.int64))
            return found
        return found.like(self._first, str(file))

    @property
    def names(self) -> frozenset[str]:
        """Every variable that is read."""
        background = self.options.background
        said = [self.variable, self.uncertainty, background if isinstance(background, str) else ""]
        return frozenset([*(name for name in said if name), *self.more.values()])

    def _soundings(self, ds: xr.Dataset, where: str) -> Soundings:
        value = find(ds, self.variable, where)
        sigma = find(ds, self.uncertainty or f"{value.name}_uncertainty", where)
        time, *place = (find(ds, name, where) for name in ("time", "latitude", "longitude"))
        if not np.issubdtype(time.dtype, np.datetime64):
            what = f"times are {time.dtype}"
            raise DataError(what, where=f"{where}, {time.name}", hint="use the standard calendar")
        _refuse_other_dimensions(value, [sigma, time, *place], where)
        more = {key: self._found(ds, key, name, where) for key, name in self.more.items()}
        latitude, longitude = (np.asarray(p.values, dtype=np.float64) for p in place)
        return Soundings(
            time.values.astype("datetime64[ns]"), latitude, longitude, converted(value, self.units, where),
            converted(sigma, self.units, where), self._background(ds, value, where), np.arange(len(value)),
            {key: _along(value, found, where) for key, found in more.items()},
            {key: units_of(found) for key, found in more.items()},
        )  # fmt: skip

    def _found(self, ds: xr.Dataset, key: str, name: str, where: str) -> xr.DataArray:
        if key.startswith(QUALITY) and name in self.format.quality and name not in ds.variables:
            hint = f"`quality: {{{name}: null}}` reads files without"
            raise DataError(f"no variable {name!r} to tell good observations", where=where, hint=hint)
        return find(ds, name, where)

    def _background(self, ds: xr.Dataset, value: xr.DataArray, where: str) -> Array:
        said = self.options.background
        if not isinstance(said, str):
            return np.full(value.shape, said or 0.0)
        background = find(ds, said, where)
        _refuse_other_dimensions(value, [background], where)
        return converted(background, self.units, where)


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
