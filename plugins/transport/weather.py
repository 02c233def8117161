"""Winds and surface pressure from a CF file, brought to the model's faces and layers.

The file holds winds on pressure levels and one pressure field. Surface pressure is taken to be the
pressure of the file (sea-level pressure in the January 1996 analyses: the ground is then flat), and
winds are interpolated linearly in log pressure between the levels and held constant beyond them.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.coupling.time.calendars import Time, refuse_mixed, times_of
from tradewind.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

REFERENCE_PRESSURE = 101_325.0
NAMES = {"u": ("eastward_wind",), "v": ("northward_wind",),
         "pressure": ("surface_air_pressure", "air_pressure_at_mean_sea_level")}  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """Winds and pressure on the file's own points.

    Attributes
    ----------
    times
        Valid times, ascending, shape ``(time,)``.
    lat, lon
        Degrees, ascending, shapes ``(lat,)`` and ``(lon,)``.
    levels
        Pressure of the wind levels, Pa, from the ground upwards, shape ``(level,)``.
    u, v
        Eastward and northward wind, m s-1, shape ``(time, level, lat, lon)``.
    pressure
        Surface pressure, Pa, shape ``(time, lat, lon)``.
    """

    times: tuple[Time, ...]
    lat: Tensor
    lon: Tensor
    levels: Tensor
    u: Tensor
    v: Tensor
    pressure: Tensor

    @classmethod
    def read(cls, path: Path) -> Weather:
        """Read winds and pressure by CF standard name.

        Raises
        ------
        DataError
            When the file or a variable is missing, or holds NaN; variable and time are named.
        UnitsError
            When units are missing or of another kind.
        """
        import xarray as xr

        if not Path(path).is_file():
            raise DataError("weather file not found", where=str(path))
        with xr.open_dataset(path) as ds:
            return cls.from_dataset(ds.load(), str(path))

    @classmethod
    def from_dataset(cls, ds: xr.Dataset, where: str = "weather") -> Weather:
        """Take winds and pressure from a CF dataset; dimensions, latitudes and levels may come in any order.

        Raises
        ------
        DataError
            When a variable or coordinate is missing or holds NaN; variable and time are named.
        UnitsError
            When units are missing or of another kind.
        """
        u, v = (_find(ds, part, "m s-1", where) for part in ("u", "v"))
        pressure = _find(ds, "pressure", "Pa", where)
        names = _axes(u, where)
        order = (names["time"], names["level"], names["lat"], names["lon"])
        fields = [f.transpose(*order, missing_dims="ignore") for f in (u, v, pressure)]
        fields = [f.sortby([names["lat"], names["lon"]]) for f in fields]
        fields = [f.sortby(names["level"], ascending=False) for f in fields[:2]] + fields[2:]
        for field in fields:
            _refuse_missing(field, names["time"], where)
        times = times_of(u[names["time"]].values, f"{where}, time")
        lat, lon, level = (fields[0][names[axis]] for axis in ("lat", "lon", "level"))
        axes = (_tensor(axis) for axis in (lat, lon, _with_units(level, "Pa", where)))
        return cls(times, *axes, *(_tensor(f) for f in fields))

    def bracket(self, time: Time) -> tuple[int, float]:
        """Return the index of the analysis at or before `time`, and the fraction of the way to the next.

        Raises
        ------
        DataError
            When `time` lies outside the file.
        ConfigError
            When it is of another calendar than the file's times.
        """
        refuse_mixed(time, self.times[0], where="weather")
        if not self.times[0] <= time <= self.times[-1]:
            raise DataError(
                f"no winds for {time:%Y-%m-%d %H:%M}", where="weather",
                hint=f"the file covers {self.times[0]:%Y-%m-%d %H:%M} to {self.times[-1]:%Y-%m-%d %H:%M}",
            )  # fmt: skip
        i = min(bisect_right(self.times, time), len(self.times) - 1) - 1
        span = (self.times[i + 1] - self.times[i]).total_seconds()
        return i, (time - self.times[i]).total_seconds() / span


def _find(ds: xr.Dataset, part: str, units: str, where: str) -> xr.DataArray:
    for standard_name in NAMES[part]:
        for field in ds.data_vars.values():
            if field.attrs.get("standard_name") == standard_name:
                return _with_units(field, units, where)
    raise DataError(f"no variable with standard_name {' or '.join(NAMES[part])}", where=where)


def _with_units(field: xr.DataArray, units: str, where: str) -> xr.DataArray:
    from tradewind.couplers.coupling.units import convert

    given, name = str(field.attrs.get("units", "")), f"{where}: {field.name}"
    return field.copy(data=convert(field.values, given, units, name))


def _axes(field: xr.DataArray, where: str) -> dict[str, str]:
    """Return which dimension is time, level, latitude and longitude, by CF standard names."""
    wanted = {"time": "time", "level": "air_pressure", "lat": "latitude", "lon": "longitude"}
    found = {str(c.attrs.get("standard_name", name)): str(name) for name, c in field.coords.items()}
    missing = [standard for standard in wanted.values() if standard not in found]
    if missing:
        raise DataError(f"{field.name} has no coordinate {', '.join(missing)}", where=where)
    return {axis: found[standard] for axis, standard in wanted.items()}


def _refuse_missing(field: xr.DataArray, time: str, where: str) -> None:
    bad = ~np.isfinite(field.values)
    if bad.any():
        step = int(np.nonzero(bad.reshape(bad.shape[0], -1).any(1))[0][0])
        raise DataError(
            f"{field.name} holds {int(bad.sum())} missing or infinite values, the first at "
            f"{str(field[time].values[step])[:16]}",
            where=where, hint="fill them in time or space, or cut to the complete region",
        )  # fmt: skip


def _tensor(field: xr.DataArray) -> Tensor:
    return torch.tensor(field.values, dtype=torch.float64)


def interpolate(field: Tensor, axes: tuple[Tensor, Tensor], lat: Tensor, lon: Tensor) -> Tensor:
    """Interpolate bilinearly from points ``(lat, lon)`` of `axes` to the product of `lat` and `lon`.

    Parameters
    ----------
    field
        Shape ``(..., len(axes[0]), len(axes[1]))``.

    Returns
    -------
    Tensor
        Shape ``(..., len(lat), len(lon))``.

    Raises
    ------
    DataError
        When a target lies outside the source points: nothing is extrapolated.
    """
    rows, columns = (hat_weights(axis, at) for axis, at in zip(axes, (lat, lon), strict=True))
    return rows @ field @ columns.T


def hat_weights(axis: Tensor, at: Tensor) -> Tensor:
    """Return the matrix of linear interpolation from `axis` to `at`, shape ``(len(at), len(axis))``."""
    slack = 1e-9 * float(axis[-1] - axis[0])
    if float(at.min()) < float(axis[0]) - slack or float(at.max()) > float(axis[-1]) + slack:
        raise DataError(
            f"the weather covers {float(axis[0]):g} to {float(axis[-1]):g} degrees, the model needs "
            f"{float(at.min()):g} to {float(at.max()):g}",
            where="weather", hint="choose a smaller region",
        )  # fmt: skip
    left = torch.clamp(torch.searchsorted(axis, at, right=True) - 1, 0, len(axis) - 2)
    fraction = (at - axis[left]) / (axis[left + 1] - axis[left])
    weights = torch.zeros(len(at), len(axis), dtype=torch.float64)
    rows = torch.arange(len(at))
    weights[rows, left] += 1.0 - fraction
    weights[rows, left + 1] += fraction
    return weights


def level_weights(levels: Tensor, pressure: Tensor) -> Tensor:
    """Return the matrix of linear interpolation in log pressure, held constant beyond the levels.

    Parameters
    ----------
    levels
        Pa, descending (upwards), shape ``(level,)``.
    pressure
        Pa, shape ``(layer,)``.

    Returns
    -------
    Tensor
        Shape ``(layer, level)``; rows sum to one.
    """
    height = -torch.log(levels)
    if len(levels) == 1:
        return torch.ones(len(pressure), 1, dtype=torch.float64)
    return hat_weights(height, torch.clamp(-torch.log(pressure), float(height[0]), float(height[-1])))
