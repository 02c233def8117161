"""Scales that bring the inputs and outputs of a network to order one.

They are fitted on the training set only, and travel in the header of the checkpoint, so a checkpoint can be
read with nothing else at hand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.errors import DataError

if TYPE_CHECKING:
    import torch

SMALLEST_SCALE = 1e-6


@dataclass(frozen=True)
class Normalisation:
    """Per-channel mean and scale of the input, and one scale of the output.

    Attributes
    ----------
    mean, scale
        One value per input channel, in the channel's units: the network sees ``(x - mean) / scale``.
    output_scale
        Factor from what the last layer gives to the target's units.

    Raises
    ------
    DataError
        When a value is not finite, a scale is not positive, or the lengths differ.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    output_scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.scale):
            raise DataError(f"{len(self.mean)} means but {len(self.scale)} scales", where="normalisation")
        if not all(math.isfinite(v) for v in (*self.mean, *self.scale, self.output_scale)):
            raise DataError("a mean or a scale is not finite", where="normalisation")
        if not all(v > 0 for v in (*self.scale, self.output_scale)):
            raise DataError("a scale is not positive", where="normalisation")

    @property
    def channels(self) -> int:
        """Number of input channels."""
        return len(self.mean)

    @classmethod
    def identity(cls, channels: int) -> Normalisation:
        """Return the normalisation that changes nothing."""
        return cls((0.0,) * channels, (1.0,) * channels)

    @classmethod
    def fit(cls, x: torch.Tensor, target: torch.Tensor) -> Normalisation:
        """Fit to a training set.

        Parameters
        ----------
        x
            Inputs of shape ``(sample, channel, row, column)``.
        target
            Targets of any shape; their root mean square becomes the output scale.

        Raises
        ------
        DataError
            When the set is empty or holds values that are not finite.
        """
        if x.shape[0] == 0:
            raise DataError("cannot fit scales to an empty training set", where="normalisation")
        mean = x.double().mean(dim=(0, 2, 3))
        scale = x.double().std(dim=(0, 2, 3), correction=0).clamp_min(SMALLEST_SCALE)
        rms = float(target.double().square().mean().sqrt())
        return cls(tuple(mean.tolist()), tuple(scale.tolist()), max(rms, SMALLEST_SCALE))
