"""Simulated synoptic flow: waves and pressure systems that no analysis holds, in winds by level.

Idealised quasi-geostrophic weather on an f-plane (Holton & Hakim 2013, ch. 6): a stream function near the
ground and one aloft, made of travelling waves and round pressure systems, which lean westward with height as
growing ones do (Eady 1949, doi:10.3402/tellusa.v1i3.8507), and a jet aloft. Surface pressure is balanced by
the stream function near the ground; there the wind is slowed and turned towards low pressure, as friction
does (Ekman). Everything about a situation is drawn at random, so that it says nothing about any real day.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tradewind.plugins.transport.domain import EARTH_RADIUS
from tradewind.plugins.transport.weather import REFERENCE_PRESSURE, Weather

LEVELS = (100_000.0, 85_000.0, 70_000.0, 50_000.0)
"""Pressure of the wind levels, Pa."""
ALOFT = (0.0, 0.23, 0.51, 1.0)
"""How far each level is from the ground to the stream function aloft, in the logarithm of pressure."""
DENSITY, ROTATION = 1.2, 7.292e-5
LEAST_LATITUDE = 15.0
FASTEST = 50.0
WAVES, SYSTEMS = 3, 4
KM = 1e3


@dataclass(frozen=True)
class Draws:
    """Random numbers between given bounds, from one seed."""

    generator: torch.Generator

    @classmethod
    def seeded(cls, seed: int) -> Draws:
        """Return the draws of a seed."""
        return cls(torch.Generator().manual_seed(seed))

    def __call__(self, least: float, greatest: float, *shape: int) -> Tensor:
        """Return even draws, float64, shape `shape`."""
        drawn = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return least + (greatest - least) * drawn


@dataclass(frozen=True)
class Disturbances:
    """Travelling waves and round systems of one stream function.

    Attributes
    ----------
    amplitude
        Of waves, then of systems, m s-1 of wind, shape ``(wave + system,)``.
    wavenumber
        Of the waves, east and north, m-1, shape ``(wave, 2)``.
    phase
        Of the waves, radians, shape ``(wave,)``.
    place
        Of the systems' centres, m east and north of the region's middle, shape ``(system, 2)``.
    size
        Radius of greatest wind of the systems, m, shape ``(system,)``.
    speed
        At which all move, m s-1, shape ``(2,)``.
    """

    amplitude: Tensor
    wavenumber: Tensor
    phase: Tensor
    place: Tensor
    size: Tensor
    speed: Tensor

    def leaning(self, phase: float, west: float, factors: Tensor) -> Disturbances:
        """Return the same further up: waves `phase` radians and systems `west` metres behind."""
        behind = self.place - torch.tensor([west, 0.0], dtype=torch.float64)
        return replace(self, phase=self.phase + phase, place=behind, amplitude=self.amplitude * factors)

    def stream(self, east: Tensor, north: Tensor, seconds: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return the stream function, m2 s-1, and its derivatives east and north, m s-1.

        Parameters
        ----------
        east, north
            Metres from the region's middle, shape ``(lat, lon)``.
        seconds
            Since the situation's first analysis.
        """
        moved = [x - seconds * float(v) for x, v in zip((east, north), self.speed, strict=True)]
        parts = [self._wave(k, *moved) for k in range(len(self.phase))]
        parts += [self._system(k, *moved) for k in range(len(self.size))]
        value, dx, dy = (torch.stack(some).sum(0) for some in zip(*parts, strict=True))
        return value, dx, dy

    def _wave(self, k: int, east: Tensor, north: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        kx, ky = self.wavenumber[k]
        angle = kx * east + ky * north + self.phase[k]
        # a wave's wind is its wave number times its stream function
        height = self.amplitude[k] / torch.hypot(kx, ky)
        return height * angle.cos(), -height * kx * angle.sin(), -height * ky * angle.sin()

    def _system(self, k: int, east: Tensor, north: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        dx, dy, size = east - self.place[k, 0], north - self.place[k, 1], self.size[k]
        # exp(-r2 / 2 L2) has its steepest slope, exp(-1/2) / L, at r = L
        height = self.amplitude[len(self.phase) + k] * size * math.exp(0.5)
        value = height * torch.exp(-(dx.square() + dy.square()) / (2.0 * size.square()))
        return value, -dx / size.square() * value, -dy / size.square() * value


@dataclass(frozen=True)
class SynopticFlow:
    """Draws idealised weather on the points and at the first times of given weather.

    Attributes
    ----------
    like
        Says where and how often analyses are; its fields are not looked at.
    length
        Analyses in one situation.
    amplitude
        Greatest wind of one wave or system near the ground, m s-1.
    jet
        Bounds of the mean westerly aloft, m s-1.
    """

    like: Weather
    length: int
    amplitude: float = 16.0
    jet: tuple[float, float] = (-5.0, 35.0)

    def draw(self, seed: int) -> Weather:
        """Return one situation; the same seed gives the same weather."""
        draws = Draws.seeded(seed)
        ground = self._disturbances(draws)
        aloft = ground.leaning(
            float(draws(0.0, 0.6 * math.pi)), float(draws(0.0, 600.0 * KM)), draws(0.4, 1.8, WAVES + SYSTEMS)
        )
        mean = (draws(-7.0, 7.0, 2), torch.stack([draws(*self.jet), draws(-8.0, 8.0)]))
        side = math.copysign(1.0, plane(self.like)[2])
        shape = (draws(0.5, 0.95), side * torch.deg2rad(draws(5.0, 35.0)), draws(-0.2, 0.5))
        pairs = [self._analysis(ground, aloft, mean, seconds) for seconds in self._seconds()]
        winds = [by_level(low, high, *shape) for _, low, high in pairs]
        pressure = torch.stack([p for p, _, _ in pairs])
        return self._weather(torch.stack(winds), pressure + 100.0 * draws(-12.0, 18.0))

    def _seconds(self) -> list[float]:
        first = self.like.times[0]
        return [(t - first).total_seconds() for t in self.like.times[: self.length]]

    def _disturbances(self, draws: Draws) -> Disturbances:
        strength = self.amplitude * torch.cat([draws(0.0, 0.6, WAVES), draws(-1.0, 1.0, SYSTEMS)])
        length, heading = draws(1200.0, 5000.0, WAVES) * KM, draws(-1.0, 1.0, WAVES)
        direction = torch.stack([heading.cos(), heading.sin()], dim=1)
        return Disturbances(
            strength * draws(0.3, 1.5),
            2.0 * math.pi * direction / length[:, None],
            draws(0.0, 2.0 * math.pi, WAVES),
            torch.stack([draws(-2.5e6, 2.5e6, SYSTEMS), draws(-2.3e6, 2.3e6, SYSTEMS)], dim=1),
            draws(300.0, 1100.0, SYSTEMS) * KM,
            torch.stack([draws(-4.0, 25.0), draws(-8.0, 8.0)]),
        )

    def _analysis(
        self, ground: Disturbances, aloft: Disturbances, mean: tuple[Tensor, Tensor], seconds: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return pressure over the reference, and the geostrophic winds near the ground and aloft."""
        east, north, coriolis = plane(self.like)
        value, dx, dy = ground.stream(east, north, seconds)
        u, v = mean[0][:, None, None]
        value = value - u * north + v * east
        _, upper_x, upper_y = aloft.stream(east, north, seconds)
        upper = mean[1][:, None, None] + torch.stack([-upper_y, upper_x])
        return DENSITY * coriolis * value, torch.stack([u - dy, v + dx]), upper

    def _weather(self, winds: Tensor, pressure: Tensor) -> Weather:
        u, v = slowed(winds)
        return replace(
            self.like, times=self.like.times[: self.length], u=u, v=v,
            levels=torch.tensor(LEVELS, dtype=torch.float64), pressure=REFERENCE_PRESSURE + pressure,
        )  # fmt: skip


def plane(weather: Weather) -> tuple[Tensor, Tensor, float]:
    """Return metres east and north of the region's middle, ``(lat, lon)``, and the Coriolis parameter there.

    Nearer to the equator than 15 degrees, where winds are not geostrophic, that of 15 degrees is taken.
    """
    lat, lon = (0.5 * float(axis[0] + axis[-1]) for axis in (weather.lat, weather.lon))
    metres = EARTH_RADIUS * math.pi / 180.0
    rows, columns = torch.meshgrid(weather.lat - lat, weather.lon - lon, indexing="ij")
    latitude = math.copysign(max(abs(lat), LEAST_LATITUDE), lat)
    coriolis = 2.0 * ROTATION * math.sin(math.radians(latitude))
    return columns * metres * math.cos(math.radians(lat)), rows * metres, coriolis


def by_level(low: Tensor, high: Tensor, slowing: Tensor, turning: Tensor, bulge: Tensor) -> Tensor:
    """Return the winds of all levels, shape ``(2, level, lat, lon)``.

    Parameters
    ----------
    low, high
        Geostrophic winds near the ground and aloft, shape ``(2, lat, lon)``.
    slowing, turning
        Speed at the ground over the geostrophic one, and the angle towards low pressure (northern
        hemisphere), radians.
    bulge
        Excess at the second level: a low-level jet, or a lack of wind.
    """
    levels = [turned(slowing * low, turning)]
    levels += [torch.lerp(low, high, share) for share in ALOFT[1:]]
    levels[1] = (1.0 + bulge) * levels[1]
    return torch.stack(levels, dim=1)


def turned(wind: Tensor, angle: Tensor) -> Tensor:
    """Return winds, shape ``(2, ...)``, turned to the left by `angle`, radians."""
    u, v = wind
    return torch.stack([u * angle.cos() - v * angle.sin(), u * angle.sin() + v * angle.cos()])


def slowed(winds: Tensor) -> tuple[Tensor, Tensor]:
    """Return eastward and northward winds, ``(time, level, lat, lon)``, none much beyond `FASTEST`.

    Parameters
    ----------
    winds
        Shape ``(time, 2, level, lat, lon)``.
    """
    excess = (winds.square().sum(1).sqrt().max() / FASTEST).clamp_min(1.0)
    u, v = (winds / excess).unbind(1)
    return u, v
