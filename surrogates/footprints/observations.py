"""Hours at inlets: where and when air was taken, the weather there, and the footprints that a model found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr

Numbers: TypeAlias = NDArray[np.float64]
Words: TypeAlias = NDArray[np.str_]
LIFETIMES = {"inert": np.inf, "radon-222": 132.4}
"""Hours by tracer; radon-222 has a half-life of 3.8235 days."""
ALIASES = {"rn": "radon-222", "radon": "radon-222", "rn222": "radon-222", "rn-222": "radon-222"}
RANGES = {
    "latitude": (-90.0, 90.0),
    "longitude": (-360.0, 360.0),
    "height": (0.0, 20_000.0),
    "wind_speed": (0.0, 150.0),
    "wind_from": (-360.0, 720.0),
    "mixing_height": (0.0, 10_000.0),
    "temperature": (-100.0, 70.0),
    "pressure": (100.0, 1100.0),
}
"""What a number of each kind can be, in its units."""
NAMES = {
    "latitude": "release_lat",
    "longitude": "release_lon",
    "height": "inlet_height",
    "wind_speed": "wind_speed",
    "wind_from": "wind_from_direction",
    "mixing_height": "pblh",
    "temperature": "temperature",
    "pressure": "pressure",
}
"""Variables of a file."""
EDGES = {"lat": "lat_bnds", "lon": "lon_bnds"}
HOUR = np.timedelta64(1, "h")
KELVIN = 150.0
"""Least temperature that can only be in kelvin."""


@dataclass(frozen=True)
class Hours:
    """Hours at inlets and the weather there; all arrays have shape ``(hour,)``.

    Attributes
    ----------
    time
        Hours since 1970-01-01, UTC.
    run
        Number of the continuous run that an hour belongs to: only hours of one run know of each other.
    tracer
        Key of `LIFETIMES`.
    latitude, longitude, height
        Of the inlet: degrees, and metres above ground.
    wind_speed, wind_from
        At the inlet: m s-1, and the direction that the wind comes from in degrees.
    mixing_height
        Of the boundary layer, m.
    temperature, pressure
        At the inlet: degC and hPa.
    """

    time: Numbers
    run: NDArray[np.int64]
    tracer: Words
    latitude: Numbers
    longitude: Numbers
    height: Numbers
    wind_speed: Numbers
    wind_from: Numbers
    mixing_height: Numbers
    temperature: Numbers
    pressure: Numbers

    def __post_init__(self) -> None:
        lengths = {f.name: np.shape(getattr(self, f.name)) for f in fields(self)}
        wrong = [name for name, shape in lengths.items() if shape != (len(self.time),)]
        if wrong:
            what = f"{wrong[0]} has shape {lengths[wrong[0]]} for {len(self.time)} hours"
            raise DataError(what, where="hours at inlets")
        unknown = sorted(set(self.tracer.tolist()) - LIFETIMES.keys())
        if unknown:
            raise DataError(f"the tracer {unknown[0]!r} is unknown", hint=did_you_mean(unknown[0], LIFETIMES))

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Self:
        """Return some of the hours."""
        return replace(self, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which hours have a place and weather that can be, shape ``(hour,)``."""
        possible: NDArray[np.bool_] = np.all([_within(getattr(self, n), *RANGES[n]) for n in RANGES], axis=0)
        return possible

    @property
    def lifetime(self) -> Numbers:
        """Lifetime of each hour's tracer in hours; infinite where it does not decay."""
        return np.array([LIFETIMES[name] for name in self.tracer.tolist()], dtype=np.float64)

    @property
    def wind(self) -> tuple[Numbers, Numbers]:
        """Eastward and northward wind, m s-1."""
        angle = np.deg2rad(self.wind_from)
        return -self.wind_speed * np.sin(angle), -self.wind_speed * np.cos(angle)


@dataclass(frozen=True)
class Window:
    """The cells of footprints.

    Attributes
    ----------
    south_north, west_east
        Edges in degrees, ascending, shapes ``(ny + 1,)`` and ``(nx + 1,)``.
    """

    south_north: Numbers
    west_east: Numbers

    def __post_init__(self) -> None:
        for name, edges in (("south_north", self.south_north), ("west_east", self.west_east)):
            if np.ndim(edges) != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
                raise DataError(f"{name}: edges do not ascend", where="window of footprints")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (south to north) and columns (west to east)."""
        return len(self.south_north) - 1, len(self.west_east) - 1


@dataclass(frozen=True)
class Footprints:
    """Hours at inlets with their footprints.

    Attributes
    ----------
    hours
        Those that can be used.
    window
        Cells of the footprints.
    values
        Sensitivity of the mole fraction to each cell's flux, (mol mol-1) / (mol m-2 s-1), shape
        ``(hour, ny, nx)``.
    dropped
        Number of hours of the file that were left out: weather or a footprint is missing or cannot be.
    """

    hours: Hours
    window: Window
    values: Numbers
    dropped: int = 0

    def __post_init__(self) -> None:
        wanted = (len(self.hours), *self.window.shape)
        if self.values.shape != wanted:
            raise DataError(f"footprints have shape {self.values.shape}, expected {wanted}")

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Return the hours of a file whose weather and footprint are there.

        Raises
        ------
        DataError
            When the file cannot be read, lacks a variable, or holds no usable hour.
        """
        with _opened(Path(path)) as ds:
            hours, window = _hours(ds, path), _window(ds, path)
            values = _values(ds, path)
        whole = np.isfinite(values).all(axis=(1, 2)) & (values >= 0).all(axis=(1, 2))
        kept = hours.usable & whole
        if not kept.any():
            raise DataError("holds no hour with weather and a footprint", where=str(path))
        return cls(hours[kept], window, values[kept], int((~kept).sum()))

    def __len__(self) -> int:
        return len(self.hours)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return some of the hours."""
        return replace(self, hours=self.hours[chosen], values=self.values[chosen])


def read_hours(path: Path | str) -> tuple[Hours, Window]:
    """Return all hours and the window of a file, which need not hold footprints.

    Raises
    ------
    DataError
        When the file cannot be read or lacks a variable.
    """
    with _opened(Path(path)) as ds:
        return _hours(ds, path), _window(ds, path)


def _within(values: Numbers, least: float, greatest: float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (values >= least) & (values <= greatest)
    return inside


def _opened(path: Path) -> xr.Dataset:
    import xarray as xr

    try:
        return xr.open_dataset(path, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from error


def _found(ds: xr.Dataset, name: str, path: Path | str) -> xr.DataArray:
    if name not in ds.variables:
        hint = did_you_mean(name, map(str, ds.variables))
        raise DataError(f"has no variable {name!r}", where=str(path), hint=hint)
    return ds[name]


def _numbers(ds: xr.Dataset, name: str, path: Path | str) -> Numbers:
    return np.asarray(_found(ds, name, path).values, dtype=np.float64)


def _values(ds: xr.Dataset, path: Path | str) -> Numbers:
    """Return footprints, hours first, whatever the order of the file's dimensions."""
    found = _found(ds, "fp", path)
    order = [_found(ds, name, path).dims[0] for name in ("time", *EDGES)]
    if set(order) != set(found.dims):
        what = f"'fp' has dimensions {', '.join(map(str, found.dims))}, expected {', '.join(map(str, order))}"
        raise DataError(what, where=str(path), hint="one footprint for each hour")
    return np.asarray(found.transpose(*order).values, dtype=np.float64)


def _hours(ds: xr.Dataset, path: Path | str) -> Hours:
    time = np.asarray(_found(ds, "time", path).values)
    if not np.issubdtype(time.dtype, np.datetime64):
        raise DataError("'time' is no time", where=str(path), hint="give it CF units, as hours since a date")
    numbers = {own: _numbers(ds, name, path) for own, name in NAMES.items()}
    numbers["temperature"] = _celsius(numbers["temperature"])
    hours = (time - np.datetime64("1970-01-01")) / HOUR
    return Hours(hours, _runs(ds, path, hours, numbers), _tracers(ds, path), **numbers)


def _celsius(temperature: Numbers) -> Numbers:
    """Return degC: files of NAME say K and hold degC, or the other way round, so the values decide."""
    return np.where(temperature > KELVIN, temperature - 273.15, temperature)


def _runs(ds: xr.Dataset, path: Path | str, time: Numbers, numbers: dict[str, Numbers]) -> NDArray[np.int64]:
    """Return the file's runs; without, one begins wherever the inlet moves or an hour is missing."""
    if "run" in ds.variables:
        return _numbers(ds, "run", path).astype(np.int64)
    moved = [np.abs(np.diff(numbers[name])) > 0 for name in ("latitude", "longitude", "height")]
    steps = np.any([np.abs(np.diff(time) - 1) > 0.5, *moved], axis=0)
    return np.concatenate([[0], np.cumsum(steps)]).astype(np.int64)


def _tracers(ds: xr.Dataset, path: Path | str) -> Words:
    said: Sequence[str] = [str(word).strip().lower() for word in _found(ds, "species", path).values]
    return np.array([ALIASES.get(word, word) for word in said], dtype=np.str_)


def _window(ds: xr.Dataset, path: Path | str) -> Window:
    return Window(*(_edges(ds, name, path) for name in EDGES))


def _edges(ds: xr.Dataset, name: str, path: Path | str) -> Numbers:
    if EDGES[name] in ds.variables:
        bounds = _numbers(ds, EDGES[name], path)
        return np.append(bounds[:, 0], bounds[-1, 1])
    centres = _numbers(ds, name, path)
    if len(centres) < 2:
        raise DataError(f"has one {name} and no {EDGES[name]}", where=str(path))
    half = np.diff(centres) / 2
    return np.concatenate([[centres[0] - half[0]], centres[:-1] + half, [centres[-1] + half[-1]]])
