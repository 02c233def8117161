"""First guesses on a whole domain: winds are blended once for all sources."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tradewind.surrogates.networks.base import CENTRE, LEVELS, TIMES, WINDOW
from tradewind.surrogates.networks.first_guess import FAINTEST, FirstGuess, cells_per_second
from tradewind.surrogates.networks.fused.plumes import release

WINDS = TIMES * LEVELS * 2


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

    def shares(self, where: Tensor) -> Tensor:
        """Return the shares of the cells of rows and columns, shape ``(source, 2, particle, 41)``."""
        plume = self.guess.plume
        out = torch.empty(len(where), 2, len(plume.blends) * plume.particles, WINDOW)
        speed = cells_per_second(self.latitude[where[:, 0]], plume.spacing)[..., 0].mT.contiguous()
        growth = torch.stack([p.exp().flatten() for p in (self.guess.log_start, self.guess.log_growth)])
        parts = (part.numpy() for part in (self._winds, speed, where - CENTRE, growth))
        release(*parts, (plume.step, FAINTEST), out.numpy())
        return out


def blended(channels: Tensor, blends: Tensor) -> Tensor:
    """Return the winds of each blend of levels on the domain.

    Returns
    -------
    Tensor
        Shape ``(blend, lat, lon, 4)``: east and north in the first half of the time, then in the second.
    """
    winds = channels[:WINDS].unflatten(0, (TIMES, LEVELS, 2))
    return torch.einsum("bl,tlcij->bijtc", blends, winds).flatten(3).contiguous()
