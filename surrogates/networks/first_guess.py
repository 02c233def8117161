"""A first guess of a plume: particles carried by the window's winds, spread into Gaussians.

Particles leave the centre at even times; each moves with a blend of the three levels' winds (what is mixed
upward moves with the winds aloft), which change linearly in time through the means of the two halves. The
spread is that of a donor-cell scheme, whose numerical diffusivity is D = |u| dx / 2: the variance, in cells
squared, grows by one for each cell travelled in that direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from tradewind.surrogates.networks.base import CENTRE, LEVELS, TIMES, WINDOW

METRES_PER_DEGREE = 111_195.0
CELL_DEGREES = 0.5
HOURS = 12.0
SECONDS_PER_HOUR = 3600.0
Paths = tuple[torch.Tensor, torch.Tensor]


def cells_per_second(latitude: torch.Tensor) -> torch.Tensor:
    """Return what turns m s-1 into cells s-1: shape ``(sample, 2, 41, 1)``, east then north.

    A step east shrinks with the cosine of the row's own latitude.
    """
    rows = torch.arange(WINDOW, dtype=latitude.dtype, device=latitude.device) - CENTRE
    cosine = torch.cos(torch.deg2rad(latitude[:, None] + CELL_DEGREES * rows)).clamp_min(0.05)
    metres = CELL_DEGREES * METRES_PER_DEGREE
    return torch.stack([1 / (metres * cosine), torch.full_like(cosine, 1 / metres)], dim=1)[..., None]


def blended_winds(x: torch.Tensor, latitude: torch.Tensor, blends: torch.Tensor) -> torch.Tensor:
    """Return the winds of each blend of levels in cells per second.

    Parameters
    ----------
    x, latitude
        The windows, as in `WindowNetwork`.
    blends
        Weights of the levels, shape ``(blend, 3)``.

    Returns
    -------
    torch.Tensor
        Shape ``(sample, blend, 4, 41, 41)``: east and north in the first half, then in the second.
    """
    winds = x[:, : TIMES * LEVELS * 2].reshape(-1, TIMES, LEVELS, 2, WINDOW, WINDOW)
    mixed = torch.einsum("bl,ntlcij->nbtcij", blends.to(x.dtype), winds)
    return (mixed * cells_per_second(latitude)[:, None, None]).flatten(2, 3)


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


def trajectories(winds: torch.Tensor, particles: int) -> Paths:
    """Return where particles end and how far they went.

    One particle leaves in the middle of each of `particles` even steps; a step is one midpoint step
    (second order).

    Parameters
    ----------
    winds
        Cells per second, shape ``(plume, 4, 41, 41)``; see `sample_winds`.

    Returns
    -------
    tuple of torch.Tensor
        Final position and path travelled (east, north) in cells, each ``(plume, particle, 2)``.
    """
    step = HOURS * SECONDS_PER_HOUR / particles
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
    return 0.5 * torch.erf(z).diff(dim=-1)


class FirstGuess(nn.Module):
    """Maps of where each blend of winds takes the emission, split by the age of the air.

    Only the spread is learned: an initial variance and a growth per cell travelled, for each blend.

    Parameters
    ----------
    blends
        Weights of the low, middle and high level, one row a blend.
    particles
        Number of releases (and of time steps) over the window's 12 hours.
    ages
        Number of age groups; divides `particles`.

    Raises
    ------
    ValueError
        When it does not, or when the weights of a blend do not sum to one.
    """

    blends: torch.Tensor

    def __init__(self, blends: Sequence[Sequence[float]], particles: int, ages: int) -> None:
        super().__init__()
        if particles % ages:
            raise ValueError(f"{particles} particles cannot be split into {ages} age groups")
        if any(len(b) != LEVELS or abs(sum(b) - 1.0) > 1e-6 for b in blends):
            raise ValueError(f"each blend needs {LEVELS} weights that sum to one, not {blends}")
        self.particles, self.ages = particles, ages
        self.register_buffer("blends", torch.tensor(blends), persistent=False)
        self.log_start = nn.Parameter(torch.full((len(blends), 1, 1), math.log(0.05)))
        self.log_growth = nn.Parameter(torch.full((len(blends), 1, 1), math.log(0.7)))

    @property
    def maps(self) -> int:
        """Number of maps: blends times age groups, oldest group first within a blend."""
        return len(self.blends) * self.ages

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the maps, shape ``(sample, maps, 41, 41)``; a map sums to at most ``1 / ages``."""
        with torch.no_grad():
            winds = blended_winds(x, latitude, self.blends)
            ends, paths = trajectories(winds.flatten(0, 1), self.particles)
        shape = (x.shape[0], len(self.blends), self.particles, 2)
        return self.splat(ends.view(shape), paths.view(shape))

    def splat(self, ends: torch.Tensor, paths: torch.Tensor) -> torch.Tensor:
        """Spread particles, shape ``(sample, blend, particle, 2)``, onto the window's cells."""
        variance = self.log_start.exp() + self.log_growth.exp() * paths
        grouped = (len(ends), self.maps, self.particles // self.ages, WINDOW)
        east = cell_shares(ends[..., 0], variance[..., 0]).reshape(grouped)
        north = cell_shares(ends[..., 1], variance[..., 1]).reshape(grouped)
        return torch.matmul(north.transpose(-1, -2), east) / self.particles
