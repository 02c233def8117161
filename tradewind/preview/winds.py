"""Mean wind near the ground, from the weather that a run's transport reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.plugins.transport.weather import Weather

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.assembly import Assembly
    from tradewind.couplers.coupling.time.calendars import Time

    Array: TypeAlias = NDArray[np.float64]

LOW = 85_000.0
"""Pressure, Pa, below which winds blow plumes: the boundary layer's."""
CALM = 5.0 / 3.6
"""Wind where no weather is known, m s-1: 5 km an hour, after Varon and others (2022)."""


@dataclass(frozen=True)
class Winds:
    """Mean speed of the wind near the ground, on the points of the weather.

    Attributes
    ----------
    lat, lon
        Degrees, ascending; empty where no weather is known.
    speed
        m s-1, shape ``(lat, lon)``.
    source
        Where it is from.
    """

    lat: Array
    lon: Array
    speed: Array
    source: str

    def at(self, lon: Array, lat: Array) -> Array:
        """Return the speed at the point nearest to each place, m s-1, ``(n,)``; `CALM` without weather."""
        if not self.speed.size:
            return np.full(len(lon), CALM)
        middle = self.lon.mean()
        turned = (lon - middle + 180.0) % 360.0 - 180.0 + middle
        row, column = _nearest(self.lat, lat), _nearest(self.lon, turned)
        return np.asarray(self.speed[row, column])


def _nearest(axis: Array, at: Array) -> NDArray[np.int64]:
    away = np.abs(np.nan_to_num(at, nan=float(axis.mean()))[:, None] - axis)
    return np.asarray(away.argmin(axis=1), dtype=np.int64)


NO_WINDS = Winds(np.zeros(0), np.zeros(0), np.zeros((0, 0)), "none is known")


def winds_of(assembly: Assembly) -> Winds:
    """Return the winds of the first component that reads a weather file, in the order of the config."""
    for member in assembly.members.values():
        path = getattr(member.section.options, "weather", None)
        if isinstance(path, Path):
            return low_winds(Weather.read(path), assembly.clock.start, assembly.clock.stop, str(path.name))
    return NO_WINDS


def low_winds(weather: Weather, start: Time, stop: Time, source: str) -> Winds:
    """Return the mean speed over a time at the levels below `LOW`, or at the lowest where none is."""
    levels = weather.levels >= LOW
    if not bool(levels.any()):
        levels[0] = True
    inside = [number for number, time in enumerate(weather.times) if start <= time <= stop]
    chosen = inside or range(len(weather.times))
    parts = [field[list(chosen)][:, levels] for field in (weather.u, weather.v)]
    speed = (parts[0].square() + parts[1].square()).sqrt().mean(dim=(0, 1))
    return Winds(weather.lat.numpy(), weather.lon.numpy(), speed.numpy(), source)
