"""First guesses on a whole domain: winds are blended once for all sources."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tradewind.surrogates.networks.base import CENTRE, LEVELS, TIMES, WINDOW
from tradewind.surrogates.networks.first_guess import (
    FAINTEST,
    SECONDS_PER_HOUR,
    FirstGuess,
    cells_per_second,
)
from tradewind.surrogates.networks.fused.plumes import release
from tradewind.surrogates.networks.fused.puffing import puff
from tradewind.surrogates.networks.puffs import Puffs

WINDS = TIMES * LEVELS * 2
PER_AXIS = [0, 1, 0, 1, 0, 1, 0, 0, 1, 1]
"""Along which axis each of what puffs feel lies: eastward or northward."""


class Guess(Protocol):
    """Makes the particles' shares of cells for many sources.

    Attributes
    ----------
    particles
        By which sums over particles are divided.
    """

    particles: int

    def shares(self, where: Tensor) -> Tensor:
        """Return shape ``(source, 2, maps * particle, 41)``: east, then north."""


class Plumes:
    """`FirstGuess` for sources in the weather of a domain.

    Parameters
    ----------
    channels, latitude
        Float32, shapes ``(13, lat, lon)`` and ``(lat,)``.
    """

    def __init__(self, guess: FirstGuess, channels: Tensor, latitude: Tensor) -> None:
        self.guess, self.latitude, self.particles = guess, latitude, guess.plume.particles
        self._winds = blended(channels, guess.blends)
        self._growth = torch.stack([p.exp().flatten() for p in (guess.log_start, guess.log_growth)])

    def shares(self, where: Tensor) -> Tensor:
        """Return the shares of the cells of rows and columns, shape ``(source, 2, particle, 41)``."""
        plume = self.guess.plume
        out = torch.empty(len(where), 2, len(plume.blends) * plume.particles, WINDOW)
        speed = cells_per_second(self.latitude[where[:, 0]], plume.spacing)[..., 0].mT.contiguous()
        winds, corners, growth = self._winds.numpy(), (where - CENTRE).numpy(), self._growth.numpy()
        release(winds, speed.numpy(), corners, growth, (plume.step, FAINTEST), out.numpy())
        return out


class PuffClouds:
    """`Puffs` for sources in the weather of a domain.

    Parameters
    ----------
    channels, latitude
        Float32, shapes ``(13, lat, lon)`` and ``(lat,)``.
    """

    def __init__(self, puffs: Puffs, channels: Tensor, latitude: Tensor) -> None:
        self.puffs, self.latitude, self.particles = puffs, latitude, puffs.particles
        self._winds = with_slopes(channels[:WINDS])
        blends, logits, first, second, growth = (p.contiguous().numpy() for p in self._tables())
        self._made = blends, logits, first, second, growth

    def shares(self, where: Tensor) -> Tensor:
        """Return the shares of the cells of rows and columns, shape ``(source, 2, particle, 41)``."""
        puffs = self.puffs
        out = torch.empty(len(where), 2, puffs.paths * puffs.particles, WINDOW)
        speed = cells_per_second(self.latitude[where[:, 0]], puffs.spacing)[..., 0].mT.contiguous()
        scale = speed[..., PER_AXIS].contiguous()
        step = puffs.hours * SECONDS_PER_HOUR / puffs.particles
        winds, corners = self._winds.numpy(), (where - CENTRE).numpy()
        puff(winds, scale.numpy(), corners, self._made, (step, FAINTEST), out.numpy())
        return out

    def _tables(self) -> tuple[Tensor, ...]:
        """Return blends by age, logits of shares by particle, both layers, and growths of the variance."""
        puffs = self.puffs
        blends = torch.softmax(torch.einsum("plk,ak->pal", puffs.ride, puffs.knots), dim=-1)
        logits = torch.einsum("pk,ak->pa", puffs.shares, puffs.knots).flip(-1)
        weights, biases = (
            [puffs.met.get_parameter(f"{layer}.{kind}") for layer in (0, 2)] for kind in ("weight", "bias")
        )
        layers = [torch.cat([w, b[:, None]], 1) for w, b in zip(weights, biases, strict=True)]
        growth = torch.cat([puffs.log_start, puffs.log_growth, puffs.log_shear], 1)[..., 0].exp()
        return blends, logits, *layers, growth


def guess(made: FirstGuess | Puffs, channels: Tensor, latitude: Tensor) -> Guess:
    """Return first guesses for sources in the weather of a domain."""
    if isinstance(made, Puffs):
        return PuffClouds(made, channels, latitude)
    return Plumes(made, channels, latitude)


def with_slopes(winds: Tensor) -> Tensor:
    """Return winds by half of the time, and how the lower two levels' differ per cell.

    Returns
    -------
    Tensor
        Shape ``(lat, lon, 2, 10)``: six winds, differences of two eastward winds along the row, and of two
        northward ones along the column.
    """
    by_half = winds.reshape(TIMES, LEVELS * 2, *winds.shape[1:])
    east, north = by_half[:, 0:4:2], by_half[:, 1:4:2]
    across, along = torch.zeros_like(east), torch.zeros_like(north)
    across[..., 1:-1] = 0.5 * (east[..., 2:] - east[..., :-2])
    along[..., 1:-1, :] = 0.5 * (north[..., 2:, :] - north[..., :-2, :])
    return torch.cat([by_half, across, along], 1).permute(2, 3, 0, 1).contiguous()


def blended(channels: Tensor, blends: Tensor) -> Tensor:
    """Return the winds of each blend of levels on the domain.

    Returns
    -------
    Tensor
        Shape ``(blend, lat, lon, 4)``: east and north in the first half of the time, then in the second.
    """
    winds = channels[:WINDS].reshape(TIMES, LEVELS, 2, *channels.shape[1:])
    return torch.einsum("bl,tlcij->bijtc", blends, winds).flatten(3).contiguous()
