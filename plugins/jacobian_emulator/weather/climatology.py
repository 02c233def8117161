"""Climatological winds: monthly means near the ground, everywhere on Earth, made into situations.

The Debian package ``ferret-datasets`` brings eleven years of monthly winds near the ground
(``monthly_navy_winds.cdf``, 1982 to 1992, 2.5 degrees). A situation takes one month at the latitudes of the
region but at any longitude; the wind grows with height by a power law and veers, a westerly is added aloft,
and so are simulated waves and pressure systems, because a month's mean has none.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tradewind.errors import DataError
from tradewind.plugins.jacobian_emulator.weather.synoptic import (
    LEVELS,
    Draws,
    SynopticFlow,
    plane,
    slowed,
    turned,
)
from tradewind.plugins.transport.domain import SCALE_HEIGHT
from tradewind.plugins.transport.weather import REFERENCE_PRESSURE, Weather, hat_weights

PACKAGE = "ferret-datasets"
DATA = Path("/usr/share/ferret-vis/data/monthly_navy_winds.cdf")
MAST = 10.0
LOWEST = 100.0


@dataclass(frozen=True)
class MonthlyWinds:
    """Winds near the ground, month by month.

    Attributes
    ----------
    lat
        Degrees, ascending, shape ``(lat,)``.
    spacing
        Degrees between longitudes, which go once around the Earth from `west`.
    west
        First longitude, degrees.
    u, v
        m s-1, shape ``(month, lat, lon)``.
    """

    lat: Tensor
    spacing: float
    west: float
    u: Tensor
    v: Tensor

    @classmethod
    def read(cls, path: Path = DATA) -> MonthlyWinds:
        """Read the file of the Debian package.

        Raises
        ------
        DataError
            When the file is missing, lacks a variable, holds missing values or does not go round the Earth.
        """
        import xarray as xr

        if not Path(path).is_file():
            raise DataError(
                "climatological winds not found", where=str(path), hint=f"install the package {PACKAGE}"
            )
        with xr.open_dataset(path, decode_times=False) as ds:
            return cls._from(ds, str(path))

    @classmethod
    def _from(cls, ds: object, where: str) -> MonthlyWinds:
        try:
            names = ("FNOCY", "FNOCX", "UWND", "VWND")
            lat, lon, u, v = (np.asarray(ds[name].values, dtype=np.float64) for name in names)  # type: ignore[index]
        except KeyError as error:
            raise DataError(f"holds no {error}", where=where) from error
        if not (np.isfinite(u).all() and np.isfinite(v).all()):
            raise DataError("holds missing winds", where=where)
        step = float(lon[1] - lon[0])
        if abs(step * len(lon) - 360.0) > 1e-6:
            raise DataError(f"covers {step * len(lon):g} degrees of longitude, not 360", where=where)
        return cls(torch.tensor(lat), step, float(lon[0]), torch.tensor(u), torch.tensor(v))

    def at(self, month: int, lat: Tensor, lon: Tensor) -> Tensor:
        """Return the winds of one month at points, bilinearly; shape ``(2, lat, lon)``.

        Raises
        ------
        DataError
            When a latitude lies outside the file.
        """
        rows = hat_weights(self.lat, lat)
        columns = self._around(lon)
        return torch.stack([rows @ field[month] @ columns.T for field in (self.u, self.v)])

    def _around(self, lon: Tensor) -> Tensor:
        """Return the matrix of linear interpolation in longitude, shape ``(len(lon), longitudes)``."""
        count = self.u.shape[-1]
        place = torch.remainder(lon - self.west, 360.0) / self.spacing
        left = place.floor()
        weights = torch.zeros(len(lon), count, dtype=torch.float64)
        rows, share = torch.arange(len(lon)), place - left
        weights[rows, left.long() % count] += 1.0 - share
        weights[rows, (left.long() + 1) % count] += share
        return weights


@dataclass(frozen=True)
class ClimatologicalFlow:
    """Draws situations around a month's mean wind.

    Attributes
    ----------
    monthly
        The winds near the ground.
    synoptic
        What adds waves and pressure systems; its own mean flow should be small.
    """

    monthly: MonthlyWinds
    synoptic: SynopticFlow

    @classmethod
    def over(cls, monthly: MonthlyWinds, like: Weather, length: int) -> ClimatologicalFlow:
        """Return the source of situations of `length` analyses on the points of `like`."""
        return cls(monthly, SynopticFlow(like, length, amplitude=8.0, jet=(-5.0, 5.0)))

    def draw(self, seed: int) -> Weather:
        """Return one situation; the same seed gives the same weather."""
        draws, anomaly = Draws.seeded(seed), self.synoptic.draw(seed + 1)
        mean = self._mean(draws)
        winds = torch.stack([anomaly.u, anomaly.v], dim=1) + mean
        u, v = slowed(winds)
        return replace(anomaly, u=u, v=v)

    def _mean(self, draws: Draws) -> Tensor:
        """Return a month's mean at all levels, shape ``(2, level, lat, lon)``."""
        like = self.synoptic.like
        month = int(draws(0.0, len(self.monthly.u) - 1e-9))
        ground = self.monthly.at(month, like.lat, like.lon + float(draws(0.0, 360.0)))
        exponent, veering, westerly = draws(0.05, 0.2), draws(-0.2, 0.9), draws(0.0, 20.0)
        side = math.copysign(1.0, plane(like)[2])
        return with_height(ground, exponent, side * veering, westerly)


def with_height(ground: Tensor, exponent: Tensor, veering: Tensor, westerly: Tensor) -> Tensor:
    """Return winds of all levels from those at 10 m: a power law, veering, and a westerly aloft.

    Parameters
    ----------
    ground
        m s-1, shape ``(2, lat, lon)``.
    exponent
        Of the power law in height (Hellmann; 1/7 over flat land), dimensionless.
    veering
        Turning to the right between the lowest and the highest level, radians.
    westerly
        Added at the highest level, m s-1; in proportion to height below.

    Returns
    -------
    Tensor
        Shape ``(2, level, lat, lon)``.
    """
    height = heights()
    share = (height - height[0]) / (height[-1] - height[0])
    factors = (height / MAST) ** exponent
    winds = [f * turned(ground, -veering * s) for f, s in zip(factors, share, strict=True)]
    east = torch.stack([torch.ones_like(ground[0]), torch.zeros_like(ground[0])])
    return torch.stack([w + westerly * s * east for w, s in zip(winds, share, strict=True)], dim=1)


def heights() -> Tensor:
    """Return the height of the wind levels over the ground, m, at least `LOWEST`, shape ``(level,)``."""
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    return (-SCALE_HEIGHT * torch.log(levels / REFERENCE_PRESSURE)).clamp_min(LOWEST)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, for the provenance of a checkpoint."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
