"""The four standard functions of the regridding benchmark of Valcke, Piacentini and Jonville (2022).

doi 10.3390/mca27020031; they are positive and of order 1 to 4 everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]
    Function: TypeAlias = Callable[[ArrayLike, ArrayLike], Array]

LENGTH = 1.2 * np.pi
VORTEX_POLE = (5.5, 0.2)
JET_ORIGIN, JET_END, JET_DAMPED = np.deg2rad([(-80.0, 25.0), (-1.8, 50.0), (-25.5, 55.5)])
JET_STRENGTH = 1.3


def sinusoid(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Return ``2 - cos(π d / 1.2 π)``, d the angular distance from (0, 0): slow variation.

    Parameters
    ----------
    lon, lat
        Degrees, of one shape.
    """
    x, y = _radians(lon, lat)
    # rounding may leave the product a bit above one
    distance = np.arccos(np.clip(np.cos(x) * np.cos(y), -1.0, 1.0))
    out: Array = 2.0 - np.cos(np.pi * distance / LENGTH)
    return out


def harmonic(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Return ``2 + sin(2 lat)^16 cos(16 lon)``: short waves in both hemispheres; degrees."""
    x, y = _radians(lon, lat)
    out: Array = 2.0 + np.sin(2.0 * y) ** 16 * np.cos(16.0 * x)
    return out


def vortex(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Return a front rolled up about (5.5, 0.2) rad; degrees.

    ``2 (1 + tanh(ρ/5 sin(λ' - 6 ω)))`` with ρ = 3 cos φ' and ω = 1.5 √3 tanh ρ / (ρ cosh² ρ), where λ', φ'
    are longitude and latitude about that pole.
    """
    around, above = _turned(*_radians(lon, lat))
    rho = 3.0 * np.cos(above)
    speed = 1.5 * np.sqrt(3.0) * np.tanh(rho) / np.cosh(rho) ** 2
    omega = np.divide(speed, rho, out=np.zeros_like(rho), where=rho != 0.0)
    out: Array = 2.0 * (1.0 + np.tanh(rho / 5.0 * np.sin(around - 6.0 * omega)))
    return out


def gulfstream(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Return the sinusoid with a narrow jet across the Atlantic, which has a kink; degrees."""
    x, y = _radians(lon, lat)
    x = (x + np.pi) % (2.0 * np.pi) - np.pi
    reach, damped = (np.hypot(*(p - JET_ORIGIN)) for p in (JET_END, JET_DAMPED))
    r = np.hypot(x - JET_ORIGIN[0], y - JET_ORIGIN[1])
    angle = np.arctan2(y - JET_ORIGIN[1], x - JET_ORIGIN[0])
    strength = np.where(r > reach, 0.0, JET_STRENGTH)
    strength *= np.where(r > damped, np.cos(np.pi / 2.0 * (r - damped) / (reach - damped)), 1.0)
    wave = np.sin(0.4 * (0.5 * r + angle) + 0.007 * np.cos(50.0 * angle) + 0.37 * np.pi)
    out: Array = sinusoid(lon, lat) + strength * (np.maximum(1000.0 * wave, 999.0) - 999.0)
    return out


STANDARD_FIELDS: Mapping[str, Function] = MappingProxyType(
    {"sinusoid": sinusoid, "harmonic": harmonic, "vortex": vortex, "gulfstream": gulfstream}
)
"""The functions by name, in the order of the paper; each takes longitudes and latitudes in degrees."""


def sampled(lon: ArrayLike, lat: ArrayLike) -> Array:
    """Return all four functions at the same places, shape ``(4, *lon.shape)``, in the order above."""
    return np.stack([function(lon, lat) for function in STANDARD_FIELDS.values()])


def _radians(lon: ArrayLike, lat: ArrayLike) -> tuple[Array, Array]:
    return np.deg2rad(np.asarray(lon, dtype=np.float64)), np.deg2rad(np.asarray(lat, dtype=np.float64))


def _turned(lon: Array, lat: Array) -> tuple[Array, Array]:
    """Return longitude and latitude about the vortex' pole, in radians."""
    pole_lon, pole_lat = VORTEX_POLE
    t = np.cos(lat) * np.cos(lon - pole_lon)
    x = np.sin(pole_lat) * t - np.cos(pole_lat) * np.sin(lat)
    y = np.cos(lat) * np.sin(lon - pole_lon)
    z = np.sin(pole_lat) * np.sin(lat) + np.cos(pole_lat) * t
    around: Array = np.arctan2(y, x) % (2.0 * np.pi)
    above: Array = np.arcsin(np.clip(z, -1.0, 1.0))
    return around, above
