"""The compact network: a first guess of the plume by puffs or by trajectories, corrected by a small U-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from tradewind.surrogates.networks.base import CENTRE, CHANNELS, WINDOW, WindowNetwork, check_inputs
from tradewind.surrogates.networks.first_guess import FirstGuess, Plume, Spread, halved_along_rows
from tradewind.surrogates.networks.puffs import Puffs
from tradewind.surrogates.networks.unet import UNet
from tradewind.surrogates.normalisation import Normalisation

WIDTHS = (24, 32, 48)
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
        First guesses by trajectories of fixed blends of winds, whose mixture the U-Net decides: a `Plume`,
        or its attributes as a mapping.
    puffs
        Instead, first guesses by `Puffs`, which know their shares themselves: its options.
    stride
        1: the U-Net corrects every cell; 2: it sees and corrects squares of two by two cells, and the
        correction is interpolated between them, at a third of the cost.
    """

    name: ClassVar[str] = "compact"
    coordinates: torch.Tensor

    def __init__(
        self,
        normalisation: Normalisation | None = None,
        *,
        widths: Sequence[int] = WIDTHS,
        plume: Plume | Mapping[str, Any] | None = None,
        puffs: Mapping[str, Any] | None = None,
        stride: int = 2,
    ) -> None:
        super().__init__(normalisation)
        if stride not in {1, 2}:
            raise ValueError(f"a stride of {stride} cells, expected 1 or 2")
        self.widths, self.stride = tuple(widths), stride
        if plume is not None and puffs is not None:
            raise ValueError("a first guess by a plume or by puffs, not both")
        self.first_guess = _first_guess(plume, puffs)
        maps = self.first_guess.maps
        self.unet = UNet(maps + COORDINATES, CHANNELS, widths)
        _put_channels_last(self.unet)
        self.correction = nn.Conv2d(widths[0], 1, 1)
        self.mixture = nn.Linear(widths[-1], maps) if puffs is None else None
        self.left = nn.Linear(widths[-1], 1)
        for layer in (self.correction, self.mixture, self.left):
            _start_at_zero(layer)
        axis = (torch.arange(WINDOW) - CENTRE) / CENTRE
        if stride == 2:
            axis = halved_along_rows(axis)
        coordinates = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))
        self.register_buffer("coordinates", coordinates, persistent=False)

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values."""
        return {"widths": list(self.widths), **self._guess_options(), "stride": self.stride}

    def _guess_options(self) -> Mapping[str, Any]:
        if isinstance(self.first_guess, Puffs):
            return {"puffs": dict(self.first_guess.options())}
        plume = self.first_guess.plume
        return {"plume": {**vars(plume), "blends": [list(blend) for blend in plume.blends]}}

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the fractions, shape ``(sample, 41, 41)``; non-negative, summing to at most one."""
        check_inputs(x, latitude)
        spread = self.first_guess.spread(x, latitude)
        field, summary = self.unet(*self._seen(spread, x))
        inside = self._inside(spread, summary)
        left = (1.0 - inside.sum(dim=(1, 2))).clamp_min(0.0)[:, None]
        cells = torch.log(inside + FLOOR).flatten(1) + self._on_cells(self.correction(field)).flatten(1)
        outside = torch.log(left + FLOOR) + self.left(summary)
        shares = torch.softmax(torch.cat([cells, outside], dim=1), dim=1)
        return shares[:, :-1].reshape(-1, WINDOW, WINDOW)

    def _inside(self, spread: Spread, summary: torch.Tensor) -> torch.Tensor:
        """Return the first guess: of puffs their sum, of trajectories the best mixture."""
        if self.mixture is None:
            return spread.total()
        return spread.mixed(torch.softmax(self.mixture(summary), dim=1) * self.first_guess.ages)

    def _seen(self, spread: Spread, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return plumes, and the weather at half their resolution: it is smooth on the scale of cells."""
        plumes = spread if self.stride == 1 else spread.halved()
        weather = x
        for _ in range(self.stride):
            weather = halved_along_rows(halved_along_rows(weather).mT).mT
        return self._plumes(plumes.maps()), self.standardise(weather)

    def _on_cells(self, correction: torch.Tensor) -> torch.Tensor:
        """Return the correction, shape ``(sample, 1, 41, 41)``, between the points at which it was made."""
        if self.stride == 1:
            return correction
        fine = functional.interpolate(correction, scale_factor=2.0, mode="bilinear", align_corners=False)
        return fine[..., :WINDOW, :WINDOW]

    def _plumes(self, guesses: torch.Tensor) -> torch.Tensor:
        # logarithms, brought to about -1 ... 1, show the faint end of a plume as well as its core
        seen = torch.log(guesses + FLOOR) / 7.0 + 1.0
        where = self.coordinates.expand(guesses.shape[0], -1, -1, -1)
        return torch.cat([seen, where], dim=1).contiguous(memory_format=torch.channels_last)


def _put_channels_last(module: nn.Module) -> None:
    """Store kernels with channels innermost: convolutions of few channels run about twice as fast."""
    for kernel in module.parameters():
        if kernel.ndim == 4:
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)


def _first_guess(
    plume: Plume | Mapping[str, Any] | None, puffs: Mapping[str, Any] | None
) -> FirstGuess | Puffs:
    if puffs is not None:
        return Puffs(**puffs)
    return FirstGuess(plume if isinstance(plume, Plume) else Plume(**(plume or {})))


def _start_at_zero(layer: nn.Conv2d | nn.Linear | None) -> None:
    """Make an untrained network answer with its first guess."""
    if layer is None:
        return
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
