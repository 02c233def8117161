"""A first guess of a plume: particles carried by the window's winds, spread into Gaussians.

Particles leave the centre at even times; each moves with a blend of the three levels' winds (what is mixed
upward moves with the winds aloft), which change linearly in time through the means of the two halves. The
spread is that of a donor-cell scheme, whose numerical diffusivity is D = |u| dx / 2: the variance, in cells
squared, grows by one for each cell travelled in that direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from tradewind.surrogates.networks.base import CENTRE, LEVELS, TIMES, WINDOW

METRES_PER_DEGREE = 111_195.0
SECONDS_PER_HOUR = 3600.0
FAINTEST = 1e-8
# from air that stays near the ground to air that is mixed up to the highest level
BLENDS = ((1.0, 0.0, 0.0), (0.7, 0.3, 0.0), (0.4, 0.6, 0.0), (0.0, 1.0, 0.0), (0.0, 0.4, 0.6))
Paths = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Plume:
    """How first guesses are made.

    Attributes
    ----------
    blends
        Weights of the low, middle and high level in the winds that carry a guess, one row a guess.
    particles
        Number of releases, and of time steps, over the window's time.
    ages
        Number of age groups a guess is split into; divides `particles`.
    hours
        The window's time.
    spacing
        Width of a cell in degrees.

    Raises
    ------
    ValueError
        When `ages` does not divide `particles`, the weights of a blend do not sum to one, or the time or
        the spacing is not positive.
    """

    blends: Sequence[Sequence[float]] = BLENDS
    particles: int = 12
    ages: int = 3
    hours: float = 12.0
    spacing: float = 0.5

    def __post_init__(self) -> None:
        if self.particles % self.ages:
            raise ValueError(f"{self.particles} particles cannot be split into {self.ages} age groups")
        if any(len(b) != LEVELS or abs(sum(b) - 1.0) > 1e-6 for b in self.blends):
            raise ValueError(f"each blend needs {LEVELS} weights that sum to one, not {self.blends}")
        if not (self.hours > 0 and self.spacing > 0):
            raise ValueError(f"{self.hours} hours and {self.spacing} degrees must be positive")

    @property
    def maps(self) -> int:
        """Number of maps: blends times age groups, oldest group first within a blend."""
        return len(self.blends) * self.ages

    @property
    def step(self) -> float:
        """Seconds between releases."""
        return self.hours * SECONDS_PER_HOUR / self.particles


def cells_per_second(latitude: torch.Tensor, spacing: float) -> torch.Tensor:
    """Return what turns m s-1 into cells s-1: shape ``(sample, 2, 41, 1)``, east then north.

    A step east shrinks with the cosine of the row's own latitude.
    """
    rows = torch.arange(WINDOW, dtype=latitude.dtype, device=latitude.device) - CENTRE
    cosine = torch.cos(torch.deg2rad(latitude[:, None] + spacing * rows)).clamp_min(0.05)
    metres = spacing * METRES_PER_DEGREE
    return torch.stack([1 / (metres * cosine), torch.full_like(cosine, 1 / metres)], dim=1)[..., None]


def blended_winds(x: torch.Tensor, blends: torch.Tensor) -> torch.Tensor:
    """Return the winds of each blend of levels.

    Parameters
    ----------
    x
        The windows, as in `WindowNetwork`.
    blends
        Weights of the levels, shape ``(blend, 3)``.

    Returns
    -------
    torch.Tensor
        Shape ``(sample, blend, 2, 2, 41, 41)``: east and north in the first half, then in the second.
    """
    winds = x[:, : TIMES * LEVELS * 2].reshape(-1, TIMES, LEVELS, 2, WINDOW, WINDOW)
    return torch.einsum("bl,ntlcij->nbtcij", blends.to(x.dtype), winds)


def sample_winds(winds: torch.Tensor, position: torch.Tensor, moment: float) -> torch.Tensor:
    """Return winds at positions, bilinearly; beyond the window those of its edge.

    Parameters
    ----------
    winds
        Means of both halves of the time, shape ``(plume, 4, 41, 41)``: east, north, east, north.
    position
        Cells east and north of the centre, shape ``(plume, particle, 2)``.
    moment
        Share of the window's time that has passed; winds change linearly through the middles of the halves.
    """
    grid = (position / CENTRE)[:, None]
    found = functional.grid_sample(winds, grid, "bilinear", "border", align_corners=True)
    first, second = found[:, :, 0].transpose(1, 2).chunk(2, dim=2)
    return torch.lerp(first, second, TIMES * moment - 0.5)


def trajectories(winds: torch.Tensor, particles: int, step: float) -> Paths:
    """Return where particles end and how far they went.

    One particle leaves in the middle of each of `particles` even steps; a step is one midpoint step
    (second order).

    Parameters
    ----------
    winds
        Cells per second, shape ``(plume, 4, 41, 41)``; see `sample_winds`.
    step
        Seconds.

    Returns
    -------
    tuple of torch.Tensor
        Final position and path travelled (east, north) in cells, each ``(plume, particle, 2)``.
    """
    position = winds.new_zeros(winds.shape[0], particles, 2)
    travelled = torch.zeros_like(position)
    for k in range(particles):
        moment = (k + 0.5) / particles
        seconds = (step * share_of_step(k, particles, winds)).view(1, -1, 1)
        halfway = position + 0.5 * seconds * sample_winds(winds, position, moment)
        move = seconds * sample_winds(winds, halfway, moment)
        position, travelled = position + move, travelled + move.abs()
    return position, travelled


def share_of_step(k: int, particles: int, like: torch.Tensor) -> torch.Tensor:
    """Return which part of step `k` each particle moves: 0 before its release, 1/2 in it, 1 after."""
    release = torch.arange(particles, dtype=like.dtype, device=like.device)
    return (k - release + 0.5).clamp(0.0, 1.0)


def cell_shares(centre: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
    """Return the share of a Gaussian in each of 41 cells along one axis: shape ``(..., 41)``."""
    edges = torch.arange(WINDOW + 1, dtype=centre.dtype, device=centre.device) - CENTRE - 0.5
    z = (edges - centre[..., None]) * torch.rsqrt(2.0 * variance)[..., None]
    # products of faint tails would be denormal numbers, which processors handle ten times slower
    return functional.threshold(0.5 * torch.erf(z).diff(dim=-1), FAINTEST, 0.0)


def halved_along_rows(x: torch.Tensor) -> torch.Tensor:
    """Return means over neighbours on the last axis; an odd last one stands alone."""
    even = torch.cat([x, x[..., -1:]], dim=-1) if x.shape[-1] % 2 else x
    return 0.5 * (even[..., 0::2] + even[..., 1::2])


@dataclass(frozen=True)
class Spread:
    """Particles spread into Gaussians, kept as their shares along both axes.

    The share of a cell is the product of both, so sums over particles and means over squares of cells are
    small matrix products, and a map need not be made to be averaged.

    Attributes
    ----------
    east, north
        Shares by map and particle, shape ``(sample, maps, particle, 41)``.
    particles
        All particles of a guess, over its age groups.
    """

    east: torch.Tensor
    north: torch.Tensor
    particles: int

    def maps(self) -> torch.Tensor:
        """Return the maps, shape ``(sample, maps, 41, 41)``."""
        return torch.matmul(self.north.transpose(-1, -2), self.east) / self.particles

    def halved(self) -> Spread:
        """Return means over two by two cells, as shares of 21 cells along both axes."""
        return Spread(halved_along_rows(self.east), halved_along_rows(self.north), self.particles)

    def total(self) -> torch.Tensor:
        """Return the sum of the maps, shape ``(sample, 41, 41)``."""
        north = self.north.flatten(1, 2).transpose(1, 2)
        return torch.matmul(north, self.east.flatten(1, 2)) / self.particles

    def mixed(self, weights: torch.Tensor) -> torch.Tensor:
        """Return the maps summed with `weights`, shape ``(sample, maps)``; shape ``(sample, 41, 41)``."""
        weighted = (self.north * weights[:, :, None, None]).flatten(1, 2)
        return torch.matmul(weighted.transpose(1, 2), self.east.flatten(1, 2)) / self.particles


class FirstGuess(nn.Module):
    """Maps of where each blend of winds takes the emission, split by the age of the air.

    Only the spread is learned: an initial variance and a growth per cell travelled, for each blend.

    Parameters
    ----------
    plume
        How the guesses are made.
    """

    blends: torch.Tensor

    def __init__(self, plume: Plume) -> None:
        super().__init__()
        self.plume = plume
        shape = (len(plume.blends), 1, 1)
        self.register_buffer("blends", torch.tensor(plume.blends), persistent=False)
        self.log_start = nn.Parameter(torch.full(shape, math.log(0.05)))
        self.log_growth = nn.Parameter(torch.full(shape, math.log(0.7)))

    @property
    def maps(self) -> int:
        """Number of maps."""
        return self.plume.maps

    @property
    def ages(self) -> int:
        """Number of age groups of a guess."""
        return self.plume.ages

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the maps, shape ``(sample, maps, 41, 41)``; a map sums to at most ``1 / ages``."""
        return self.spread(x, latitude).maps()

    def spread(self, x: torch.Tensor, latitude: torch.Tensor) -> Spread:
        """Return where the particles go, spread into Gaussians."""
        plume = self.plume
        with torch.no_grad():
            speed = cells_per_second(latitude, plume.spacing)[:, None, None]
            winds = blended_winds(x, self.blends) * speed
            ends, paths = trajectories(winds.flatten(2, 3).flatten(0, 1), plume.particles, plume.step)
        shape = (x.shape[0], len(plume.blends), plume.particles, 2)
        return self.splat(ends.view(shape), paths.view(shape))

    def splat(self, ends: torch.Tensor, paths: torch.Tensor) -> Spread:
        """Spread particles, shape ``(sample, blend, particle, 2)``, along both axes of the window."""
        variance = self.log_start.exp() + self.log_growth.exp() * paths
        grouped = (len(ends), self.plume.maps, self.plume.particles // self.plume.ages, WINDOW)
        east = cell_shares(ends[..., 0], variance[..., 0]).reshape(grouped)
        north = cell_shares(ends[..., 1], variance[..., 1]).reshape(grouped)
        return Spread(east, north, self.plume.particles)
