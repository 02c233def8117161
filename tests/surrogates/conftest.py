"""Small, made-up windows and plumes for the tests of networks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tradewind.surrogates.datasets import Samples, Windows
from tradewind.surrogates.networks import CompactNetwork
from tradewind.surrogates.normalisation import Normalisation

Draw = Callable[..., Samples]
SMALL = {
    "widths": (4, 4, 8),
    "plume": {"particles": 4, "ages": 2, "blends": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))},
}
PLAIN = Normalisation((0.0,) * 12 + (1.0e5,), (10.0,) * 12 + (1000.0,), 0.01)


def uniform_windows(u: float, v: float, count: int = 1, latitude: float = 32.0) -> Windows:
    """Return windows with the same wind at all levels, cells and times."""
    x = torch.zeros(count, 13, 41, 41)
    x[:, 0:12:2], x[:, 1:12:2], x[:, 12] = u, v, 1.0e5
    return Windows(x, torch.full((count,), latitude))


def smooth_winds(count: int, seed: int) -> Windows:
    """Return windows whose winds vary linearly across them."""
    generator = torch.Generator().manual_seed(seed)
    level = 6.0 * torch.randn(count, 13, 1, 1, generator=generator)
    slope = 0.2 * torch.randn(count, 13, 2, 1, 1, generator=generator)
    axis = torch.arange(41.0) - 20.0
    x = level + slope[:, :, 0] * axis + slope[:, :, 1] * axis[:, None]
    x[:, 12] = 1.0e5 + 100.0 * x[:, 12]
    return Windows(x, 25.0 + 20.0 * torch.rand(count, generator=generator))


@pytest.fixture
def draw() -> Draw:
    """Return a function that draws samples: a Gaussian carried along by the mean low wind."""

    def make(count: int, seed: int = 0) -> Samples:
        windows = smooth_winds(count, seed)
        shift = windows.x[:, :2].mean(dim=(2, 3)) * 0.3
        axis = torch.arange(41.0) - 20.0
        east = torch.exp(-0.5 * ((axis - shift[:, :1]) / 3.0).square())
        north = torch.exp(-0.5 * ((axis - shift[:, 1:]) / 3.0).square())
        plume = north[:, :, None] * east[:, None, :]
        return Samples(windows, 0.8 * plume / plume.sum(dim=(1, 2), keepdim=True))

    return make


@pytest.fixture
def uniform() -> Callable[..., Windows]:
    """Return a function that makes windows of one wind everywhere."""
    return uniform_windows


@pytest.fixture
def smooth() -> Callable[..., Windows]:
    """Return a function that makes windows of winds that vary linearly."""
    return smooth_winds


@pytest.fixture
def small() -> Callable[..., CompactNetwork]:
    """Return a function that builds a compact network of a few thousand parameters."""

    def build(seed: int = 0, normalisation: Normalisation | None = None) -> CompactNetwork:
        torch.manual_seed(seed)
        return CompactNetwork(normalisation or PLAIN, **SMALL)

    return build
