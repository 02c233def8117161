"""The network of Pan & Zhang, layer by layer as in their table (8 392 874 parameters)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from tradewind.surrogates.networks.base import CHANNELS, WINDOW, WindowNetwork, check_inputs
from tradewind.surrogates.normalisation import Normalisation

WIDTH = 32
FLAT = WIDTH * 5 * 5
CELLS = WINDOW * WINDOW


def separable_convolution() -> nn.Sequential:
    """Return the first layer: depthwise 3x3 without bias, then pointwise with bias (565 parameters)."""
    return nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, groups=CHANNELS, bias=False),
        nn.Conv2d(CHANNELS, WIDTH, 1),
    )


def even_convolution() -> nn.Sequential:
    """Return the 6x6 'same' convolution, padded 2 before and 3 after as Keras does (36 896)."""
    return nn.Sequential(nn.ZeroPad2d((2, 3, 2, 3)), nn.Conv2d(WIDTH, WIDTH, 6))


class PublishedNetwork(WindowNetwork):
    """Three convolutions with pooling, then two dense layers (Pan & Zhang's table).

    The table gives shapes and counts only; ReLU between the layers and a linear last layer are our
    reading. The latitude is not used.
    """

    name: ClassVar[str] = "published"

    def __init__(self, normalisation: Normalisation | None = None) -> None:
        super().__init__(normalisation)
        self.separable = separable_convolution()
        self.convolution = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.wide = even_convolution()
        self.hidden = nn.Linear(FLAT, 2 * CELLS)
        self.output = nn.Linear(2 * CELLS, CELLS)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor, latitude: torch.Tensor) -> torch.Tensor:
        """Return the fractions, shape ``(sample, 41, 41)``; they may be slightly negative."""
        check_inputs(x, latitude)
        h = self.standardise(x)
        for layer in (self.separable, self.convolution, self.wide):
            h = self.pool(torch.relu(layer(h)))
        h = torch.relu(self.hidden(h.flatten(1)))
        flat: torch.Tensor = self.output(h)
        return flat.view(-1, WINDOW, WINDOW) * self.normalisation.output_scale
