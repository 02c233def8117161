"""Puffs that move with the wind; only how they rise, split and spread is learned.

A plume is a sum of Gaussian puffs, one for each release and each path. A path says how high the puff rides
at each age: a blend of the winds of the three levels, learned by knots in age. Shares of the paths and the
growth of the puffs follow from what the air met underway (age, distance, shear, convergence) by a network of
a few hundred weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tradewind.surrogates.networks.base import CENTRE, LEVELS, TIMES, WINDOW
from tradewind.surrogates.networks.first_guess import (
    SECONDS_PER_HOUR,
    Spread,
    cell_shares,
    cells_per_second,
    share_of_step,
)

AGES = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Ages at which a path has a knot, as shares of the window's time."""
CHANNELS_ALONG = LEVELS * 2 + 2
FEATURES = 6
SLOWEST = 1e-3


@dataclass(frozen=True)
class Journey:
    """What puffs met underway; shapes ``(sample, path, particle, ...)``, lengths in cells.

    Attributes
    ----------
    end, travelled
        Position, and path travelled east and north.
    step
        The last move, which is how far apart releases lie.
    winds
        Path travelled with the wind of each level, ``(..., 3, 2)``.
    convergence
        Divergence at the two lower levels, summed over time, dimensionless, ``(..., 2)``.
    """

    end: torch.Tensor
    travelled: torch.Tensor
    step: torch.Tensor
    winds: torch.Tensor
    convergence: torch.Tensor


class Puffs(nn.Module):
    """Where the emission goes, as puffs; shares of one release sum to one over the paths.

    Parameters
    ----------
    paths
        Ways through the levels.
    particles
        Number of releases, and of time steps, over the window's time.
    ages
        Number of age groups into which `spread` splits a path; divides `particles`.
    hidden
        Hidden units of what decides shares and growth.
    hours, spacing
        The window's time, and the width of a cell in degrees.

    Raises
    ------
    ValueError
        When a number is not positive, or `ages` does not divide `particles`.
    """

    knots: torch.Tensor

    def __init__(
        self,
        *,
        paths: int = 5,
        particles: int = 12,
        ages: int = 1,
        hidden: int = 16,
        hours: float = 12.0,
        spacing: float = 0.5,
    ) -> None:
        super().__init__()
        if min(paths, particles, ages, hidden) < 1 or not (hours > 0 and spacing > 0):
            raise ValueError("paths, particles, ages, hidden, hours and spacing must be positive")
        if particles % ages:
            raise ValueError(f"{particles} particles cannot be split into {ages} age groups")
        self.paths, self.particles, self.ages, self.hidden = paths, particles, ages, hidden
        self.hours, self.spacing = hours, spacing
        self.register_buffer("knots", hats(particles), persistent=False)
        self.ride = nn.Parameter(_rising(paths))
        self.shares = nn.Parameter(torch.zeros(paths, len(AGES)))
        self.log_start = nn.Parameter(torch.full((paths, 1, 1), math.log(0.02)))
        self.log_growth = nn.Parameter(torch.full((paths, 1, 1), math.log(0.5)))
        self.log_shear = nn.Parameter(torch.full((paths, 1, 1), math.log(0.006)))
        sees, decides = nn.Linear(FEATURES, hidden), nn.Linear(hidden, 2 * paths)
        nn.init.zeros_(decides.weight)
        nn.init.zeros_(decides.bias)
        self.met = nn.Sequential(sees, nn.Tanh(), decides)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values."""
        names = ("paths", "particles", "ages", "hidden", "hours", "spacing")
        return {name: getattr(self, name) for name in names}

    @property
    def maps(self) -> int:
        """Number of maps: paths times age groups, oldest group first within a path."""
        return self.paths * self.ages

    def spread(self, x: torch.Tensor, latitude: torch.Tensor) -> Spread:
        """Return the puffs by map; their sum over maps is the plume."""
        journey = self.travel(along(x, latitude, self.spacing))
        weights, growth = self._decided(journey)
        variance = self._variance(journey) * growth[..., None]
        east = cell_shares(journey.end[..., 0], variance[..., 0])
        north = cell_shares(journey.end[..., 1], variance[..., 1]) * weights[..., None]
        grouped = (len(x), self.maps, self.particles // self.ages, east.shape[-1])
        return Spread(east.reshape(grouped), north.reshape(grouped), self.particles)

    def _decided(self, journey: Journey) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each puff's share of its release, and a factor on its variance.

        Both ``(sample, path, particle)``.
        """
        tables = torch.einsum("pk,ak->pa", self.shares, self.knots)[:, ages_at_end(self.particles)]
        learned = self.met(self._features(journey)).movedim(-1, 1)
        shares, growth = learned.chunk(2, dim=1)
        return torch.softmax(tables + shares, dim=1), growth.tanh().exp()

    def travel(self, fields: torch.Tensor) -> Journey:
        """Return where puffs go.

        Parameters
        ----------
        fields
            Winds and divergences of both halves of the time, as `along` makes them.
        """
        blends = torch.softmax(torch.einsum("plk,ak->pal", self.ride, self.knots), dim=-1)
        shape = (len(fields), self.paths, self.particles)
        end, travelled, last = (fields.new_zeros(*shape, 2) for _ in range(3))
        met = fields.new_zeros(*shape, CHANNELS_ALONG)
        step = self.hours * SECONDS_PER_HOUR / self.particles
        for k in range(self.particles):
            blend, moment = blends[:, ages_in(k, self.particles)], (k + 0.5) / self.particles
            seconds = (step * share_of_step(k, self.particles, fields))[:, None]
            halfway = end + 0.5 * seconds * ridden(seen(fields, end, moment), blend)
            here = seen(fields, halfway, moment)
            move = seconds * ridden(here, blend)
            end, travelled, met = end + move, travelled + move.abs(), met + seconds * here
            last = torch.where(seconds > 0, move * (step / seconds.clamp_min(SLOWEST)), last)
        winds = met[..., : LEVELS * 2].reshape(*shape, LEVELS, 2)
        return Journey(end, travelled, last, winds, met[..., LEVELS * 2 :])

    def _features(self, journey: Journey) -> torch.Tensor:
        """Return what shares and growth depend on, ``(sample, particle, 6)``: no direction, only sizes."""
        winds, convergence = journey.winds.mean(1), journey.convergence.mean(1)
        low, middle, high = winds.unbind(-2)
        age = torch.linspace(1.0, 0.0, self.particles + 1, dtype=winds.dtype)[:-1].expand(winds.shape[:2])
        sizes = [_size(low), _size(middle - low), _size(high - middle)]
        return torch.stack([age - 0.5, *sizes, *convergence.unbind(-1)], dim=-1)

    def _variance(self, journey: Journey) -> torch.Tensor:
        """Return the variance of the puffs east and north, cells squared.

        Cells travelled make donor-cell diffusion, releases lie one step apart, and shear pulls a puff
        apart along the difference of the winds below and above.
        """
        shear = journey.winds[..., 1, :] - journey.winds[..., 0, :]
        grown = self.log_growth.exp() * journey.travelled + self.log_shear.exp() * shear.square()
        return self.log_start.exp() + grown + journey.step.square() / 12.0


def along(x: torch.Tensor, latitude: torch.Tensor, spacing: float) -> torch.Tensor:
    """Return what puffs meet: winds of three levels, cells s-1, and divergence of the lower two, s-1.

    Returns
    -------
    torch.Tensor
        Shape ``(sample, 2 * 8, 41, 41)``: the first half of the window's time, then the second.
    """
    speed = cells_per_second(latitude, spacing)[:, None, None]
    winds = x[:, : TIMES * LEVELS * 2].reshape(-1, TIMES, LEVELS, 2, WINDOW, WINDOW) * speed
    divergence = _difference(winds[:, :, :2, 0], -1) + _difference(winds[:, :, :2, 1], -2)
    return torch.cat([winds.flatten(2, 3), divergence], dim=2).flatten(1, 2)


def seen(fields: torch.Tensor, position: torch.Tensor, moment: float) -> torch.Tensor:
    """Return the fields at positions, ``(sample, path, particle, 8)``, bilinearly; beyond the edge, its own.

    Parameters
    ----------
    position
        Cells east and north of the centre, shape ``(sample, path, particle, 2)``.
    moment
        Share of the window's time that has passed.
    """
    found = functional.grid_sample(fields, position / CENTRE, "bilinear", "border", align_corners=True)
    first, second = found.movedim(1, -1).chunk(2, dim=-1)
    return torch.lerp(first, second, TIMES * moment - 0.5)


def ridden(here: torch.Tensor, blend: torch.Tensor) -> torch.Tensor:
    """Return the wind that puffs ride, ``(sample, path, particle, 2)``, of blends ``(path, particle, 3)``."""
    winds = here[..., : LEVELS * 2].reshape(*here.shape[:-1], LEVELS, 2)
    return (winds * blend[..., None]).sum(dim=-2)


def hats(particles: int) -> torch.Tensor:
    """Return linear interpolation from the knots to the ages in steps, shape ``(particle, knot)``."""
    age = (torch.arange(particles, dtype=torch.float64) + 0.5) / particles
    knots = torch.tensor(AGES, dtype=torch.float64)
    left = (torch.searchsorted(knots, age, right=True) - 1).clamp(0, len(AGES) - 2)
    share = (age - knots[left]) / (knots[left + 1] - knots[left])
    weights = torch.zeros(particles, len(AGES), dtype=torch.float64)
    rows = torch.arange(particles)
    weights[rows, left], weights[rows, left + 1] = 1.0 - share, share
    return weights.float()


def ages_in(k: int, particles: int) -> torch.Tensor:
    """Return each particle's age, in steps, in step `k`; those not yet released count as new."""
    return (k - torch.arange(particles)).clamp_min(0)


def ages_at_end(particles: int) -> torch.Tensor:
    """Return each particle's age at the end, in steps."""
    return ages_in(particles - 1, particles)


def _rising(paths: int) -> torch.Tensor:
    """Return starting knots, shape ``(path, level, knot)``: the first path stays low, the last one rises."""
    height = torch.linspace(0.0, 1.5, paths)[:, None] * (0.3 + 0.7 * torch.tensor(AGES).sqrt())
    levels = torch.arange(LEVELS, dtype=torch.float32)[None, :, None]
    return -4.0 * (levels - height[:, None]).square().clamp_max(1.5)


def _size(displacement: torch.Tensor) -> torch.Tensor:
    """Return about the logarithm of a length in cells, smooth at zero."""
    return 0.5 * torch.log1p(displacement.square().sum(-1))


def _difference(field: torch.Tensor, axis: int) -> torch.Tensor:
    """Return centred differences per cell along an axis, one-sided at its ends."""
    difference: torch.Tensor = torch.gradient(field, dim=axis)[0]
    return difference
