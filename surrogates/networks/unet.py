"""A small U-Net whose costly full resolution sees only what varies from cell to cell."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions with GELU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return shape ``(sample, outputs, row, column)``."""
        return functional.gelu(self.second(functional.gelu(self.first(x))))


class UNet(nn.Module):
    """A U-Net (Ronneberger et al. 2015) with two inputs and skips that are added, not concatenated.

    Parameters
    ----------
    fine
        Channels that enter at full resolution (plumes).
    smooth
        Channels that enter at half resolution (weather, which is smooth on the scale of cells).
    widths
        Channels at full, half, quarter ... resolution.
    """

    def __init__(self, fine: int, smooth: int, widths: Sequence[int]) -> None:
        super().__init__()
        entering = [widths[0] + smooth, *widths[1:-1]]
        pairs = list(zip(widths[1:], widths, strict=False))[::-1]
        self.stem = nn.Conv2d(fine, widths[0], 3, padding=1)
        self.down = nn.ModuleList(Block(a, b) for a, b in zip(entering, widths[1:], strict=True))
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in pairs)
        self.up = nn.ModuleList(nn.Conv2d(b, b, 3, padding=1) for _, b in pairs)

    def forward(self, fine: torch.Tensor, smooth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the field at full resolution, and the mean over the coarsest one; `smooth` comes `halved`.

        Shapes ``(sample, widths[0], row, column)`` and ``(sample, widths[-1])``.
        """
        skips = [functional.gelu(self.stem(fine))]
        entering = torch.cat([halved(skips[0]), smooth], dim=1)
        for block in self.down:
            skips.append(block(entering))
            entering = halved(skips[-1])
        field = skips.pop()
        summary = field.mean(dim=(2, 3))
        for narrow, convolution in zip(self.narrow, self.up, strict=True):
            skip = skips.pop()
            coarse = functional.interpolate(narrow(field), size=skip.shape[2:], mode="nearest")
            field = functional.gelu(convolution(skip + coarse))
        return field, summary


def halved(x: torch.Tensor) -> torch.Tensor:
    """Return means over 2x2 cells; an odd last row or column stands alone."""
    return functional.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
