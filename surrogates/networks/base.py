"""What all networks of the window emulator share: their input, their call and their scales."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from tradewind.errors import SpecError
from tradewind.surrogates.normalisation import Normalisation

CHANNELS = 13
WINDOW = 41
CENTRE = WINDOW // 2
LEVELS = 3
TIMES = 2
PRESSURE = 12


class WindowNetwork(nn.Module, ABC):
    """A network from the weather of a window to the fate of what its centre emits.

    ``network(x, latitude)`` takes

    - `x`, shape ``(sample, 13, 41, 41)``: ``[u_low, v_low, u_mid, v_mid, u_high, v_high]`` (m s-1) in the
      first half of the window's time, the same in the second half, then surface pressure (Pa); rows go
      from south to north, columns from west to east;
    - `latitude`, shape ``(sample,)``: latitude of the window's centre (degrees north);

    and returns, shape ``(sample, 41, 41)``, the fraction of the mass emitted at the centre during the
    window's time that is found in each column at its end.

    Attributes
    ----------
    name
        Name of the kind of network in checkpoints and run configs.
    normalisation
        The scales of its inputs and outputs.
    """

    name: ClassVar[str]
    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, normalisation: Normalisation | None = None) -> None:
        super().__init__()
        self.normalisation = normalisation or Normalisation.identity(CHANNELS)
        if self.normalisation.channels != CHANNELS:
            raise SpecError(
                f"{self.normalisation.channels} scales for {CHANNELS} input channels", where=self.name
            )
        shape = (CHANNELS, 1, 1)
        # the header of the checkpoint holds the scales, so they are no part of the stored tensors
        self.register_buffer("mean", torch.tensor(self.normalisation.mean).view(shape), persistent=False)
        self.register_buffer("scale", torch.tensor(self.normalisation.scale).view(shape), persistent=False)

    @abstractmethod
    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the fractions, shape ``(sample, 41, 41)``."""

    def options(self) -> Mapping[str, Any]:
        """Return the constructor's options as plain values, for the checkpoint."""
        return {}

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``(x - mean) / scale``, channel by channel."""
        return (x - self.mean) / self.scale


def channel_names() -> tuple[str, ...]:
    """Return the names of the 13 input channels, in order."""
    winds = (
        f"{wind}_{level}_{half}_half"
        for half in ("first", "second")
        for level in ("low", "middle", "high")
        for wind in ("eastward_wind", "northward_wind")
    )
    return (*winds, "surface_air_pressure")


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(p.numel() for p in network.parameters())


def check_inputs(x: torch.Tensor, latitude: torch.Tensor) -> None:
    """Check the shapes of a batch of windows.

    Raises
    ------
    SpecError
        When `x` is not ``(sample, 13, 41, 41)`` or `latitude` not ``(sample,)``.
    """
    if tuple(x.shape[1:]) != (CHANNELS, WINDOW, WINDOW):
        raise SpecError(
            f"windows of shape {tuple(x.shape)}, expected (sample, {CHANNELS}, {WINDOW}, {WINDOW})",
            hint="three levels of u and v at two times, then surface pressure, on ±20 cells",
        )
    if tuple(latitude.shape) != (x.shape[0],):
        raise SpecError(f"latitudes of shape {tuple(latitude.shape)}, expected ({x.shape[0]},)")
