"""The compact network: a first guess of the plume by trajectories, corrected by a small U-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from tradewind.surrogates.networks.base import CENTRE, CHANNELS, WINDOW, WindowNetwork, check_inputs
from tradewind.surrogates.networks.first_guess import FirstGuess, Plume
from tradewind.surrogates.networks.unet import UNet
from tradewind.surrogates.normalisation import Normalisation

WIDTHS = (16, 32, 64)
FLOOR = 1e-6
COORDINATES = 2


class CompactNetwork(WindowNetwork):
    """A plume that is non-negative and never holds more mass than was emitted, by construction.

    The logits over the 1681 cells and one bin for what has left the window are the logarithm of a
    mixture of first guesses plus the U-Net's correction; a softmax makes fractions of them.

    Parameters
    ----------
    normalisation
        Scales of the inputs.
    widths
        Channels of the U-Net at each resolution.
    plume
        How first guesses are made: a `Plume`, or its attributes as a mapping.
    """

    name: ClassVar[str] = "compact"
    coordinates: torch.Tensor

    def __init__(
        self,
        normalisation: Normalisation | None = None,
        *,
        widths: Sequence[int] = WIDTHS,
        plume: Plume | Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(normalisation)
        self.widths = tuple(widths)
        self.plume = plume if isinstance(plume, Plume) else Plume(**(plume or {}))
        self.first_guess = FirstGuess(self.plume)
        maps = self.plume.maps
        self.unet = UNet(maps + COORDINATES, CHANNELS, widths)
        self.correction = nn.Conv2d(widths[0], 1, 1)
        self.mixture = nn.Linear(widths[-1], maps)
        self.left = nn.Linear(widths[-1], 1)
        for layer in (self.correction, self.mixture, self.left):
            _start_at_zero(layer)
        axis = (torch.arange(WINDOW) - CENTRE) / CENTRE
        self.register_buffer(
            "coordinates", torch.stack(torch.meshgrid(axis, axis, indexing="xy")), persistent=False
        )

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values."""
        plume = {**vars(self.plume), "blends": [list(blend) for blend in self.plume.blends]}
        return {"widths": list(self.widths), "plume": plume}

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the fractions, shape ``(sample, 41, 41)``; non-negative, summing to at most one."""
        check_inputs(x, latitude)
        guesses = self.first_guess(x, latitude)
        field, summary = self.unet(self._plumes(guesses), self.standardise(x))
        weights = torch.softmax(self.mixture(summary), dim=1) * self.plume.ages
        inside = torch.einsum("nm,nmij->nij", weights, guesses)
        left = (1.0 - inside.sum(dim=(1, 2))).clamp_min(0.0)[:, None]
        cells = torch.log(inside + FLOOR).flatten(1) + self.correction(field).flatten(1)
        outside = torch.log(left + FLOOR) + self.left(summary)
        shares = torch.softmax(torch.cat([cells, outside], dim=1), dim=1)
        return shares[:, :-1].reshape(-1, WINDOW, WINDOW)

    def _plumes(self, guesses: torch.Tensor) -> torch.Tensor:
        # logarithms, brought to about -1 ... 1, show the faint end of a plume as well as its core
        seen = torch.log(guesses + FLOOR) / 7.0 + 1.0
        where = self.coordinates.expand(guesses.shape[0], -1, -1, -1)
        return torch.cat([seen, where], dim=1)


def _start_at_zero(layer: nn.Conv2d | nn.Linear) -> None:
    """Make an untrained network answer with its first guess."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
