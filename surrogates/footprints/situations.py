"""What the plume needs of each hour: its past winds, its place among the cells, and a few plain features."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from tradewind.surrogates.footprints.history import History
from tradewind.surrogates.footprints.observations import Hours, Numbers, Window

HOUR = 3600.0
DEGREE = 111_195.0
"""Metres of a degree on a sphere of 6371 km."""
GAS = 8.314462618
FEATURES = ("wind", "depth", "sun", "variability")
"""ln(speed / 8 m/s), ln(mixing height / 500 m), sine of the sun's elevation above 0.3, and how much the wind
turned in the last six hours: sqrt(1 - |mean wind| / mean speed) - 0.2."""
USUAL = {"speed": 8.0, "depth": 500.0, "sun": 0.3, "variability": 0.2}
RECENT = np.arange(7.0)
TILT, YEAR, EQUINOX = np.deg2rad(23.44), 365.2425, 79.5


@dataclass(frozen=True)
class Situations:
    """Tensors, float64.

    Attributes
    ----------
    east, north, depth, deepest
        Past wind (m s-1), mixing height (m), and the greatest of it since, shape ``(hour, age)``.
    age, length
        Middle and length of each age, s, shape ``(age,)``.
    height, lifetime, air
        Inlet's height (m), lifetime of the tracer (s), amount of air (mol m-3), shape ``(hour, 1)``.
    features
        As `FEATURES`, shape ``(hour, 4)``.
    west_east, south_north
        Distance of the cells' edges from the inlet, m, shapes ``(hour, nx + 1)`` and ``(hour, ny + 1)``.
    """

    east: Tensor
    north: Tensor
    depth: Tensor
    deepest: Tensor
    age: Tensor
    length: Tensor
    height: Tensor
    lifetime: Tensor
    air: Tensor
    features: Tensor
    west_east: Tensor
    south_north: Tensor

    @classmethod
    def of(cls, hours: Hours, window: Window, known: Hours | None = None) -> Self:
        """Return the situations of `hours`; `known` are the hours whose weather is known (see `History`)."""
        past = History.of(hours, known)
        seen = hours if known is None else known
        east = (window.west_east - hours.longitude[:, None]) * DEGREE
        numbers = {
            "east": past.eastward,
            "north": past.northward,
            "depth": past.mixing_height,
            "deepest": np.maximum.accumulate(past.mixing_height, axis=1),
            "age": past.ages * HOUR,
            "length": past.lengths * HOUR,
            "height": hours.height[:, None],
            "lifetime": hours.lifetime[:, None] * HOUR,
            "air": _air(hours)[:, None],
            "features": _features(hours, seen),
            "west_east": east * np.cos(np.deg2rad(hours.latitude))[:, None],
            "south_north": (window.south_north - hours.latitude[:, None]) * DEGREE,
        }
        return cls(**{name: torch.as_tensor(values, dtype=torch.float64) for name, values in numbers.items()})

    def __len__(self) -> int:
        return len(self.east)

    def __getitem__(self, chosen: Tensor | slice) -> Situations:
        """Return some of the hours."""
        shared = {"age", "length"}
        parts = {f.name: getattr(self, f.name) for f in fields(self)}
        return Situations(**{name: v if name in shared else v[chosen] for name, v in parts.items()})


def _air(hours: Hours) -> Numbers:
    """Return the amount of air, mol m-3: p / (R T)."""
    return 100.0 * hours.pressure / (GAS * (hours.temperature + 273.15))


def _features(hours: Hours, known: Hours) -> Numbers:
    speed = np.maximum(hours.wind_speed, 0.5) / USUAL["speed"]
    depth = np.maximum(hours.mixing_height, 20.0) / USUAL["depth"]
    sun = np.maximum(sun_height(hours), 0.0) - USUAL["sun"]
    turned = variability(hours, known) - USUAL["variability"]
    return np.stack([np.log(speed), np.log(depth), sun, turned], axis=1)


def sun_height(hours: Hours) -> Numbers:
    """Return the sine of the sun's elevation (declination of a circular orbit), shape ``(hour,)``."""
    year = 2 * np.pi * (hours.time / 24 % YEAR - EQUINOX) / YEAR
    declination, latitude = TILT * np.sin(year), np.deg2rad(hours.latitude)
    angle = 2 * np.pi * (hours.time % 24 - 12) / 24 + np.deg2rad(hours.longitude)
    high = np.cos(latitude) * np.cos(declination) * np.cos(angle)
    return np.asarray(np.sin(latitude) * np.sin(declination) + high)


def variability(hours: Hours, known: Hours) -> Numbers:
    """Return how much the wind turned in the last six hours, 0 (steady) to 1, shape ``(hour,)``."""
    past = History.of(hours, known, np.append(RECENT, RECENT[-1] + 1) - 0.5)
    east, north = past.eastward, past.northward
    mean = np.hypot(east.mean(axis=1), north.mean(axis=1))
    speed = np.maximum(np.hypot(east, north).mean(axis=1), 1e-9)
    return np.asarray(np.sqrt(np.maximum(1.0 - mean / speed, 0.0)))
