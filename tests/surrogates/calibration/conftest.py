"""Plumes whose emulation errs in a known way."""

from __future__ import annotations

import pytest
import torch


def gaussian(east: torch.Tensor, north: torch.Tensor, width: torch.Tensor) -> torch.Tensor:
    """Return plumes about given displacements, float64, shape (sample, 41, 41), of mass 0.9."""
    axis = torch.arange(41.0, dtype=torch.float64) - 20.0
    across = torch.exp(-0.5 * ((axis - east[:, None]) / width[:, None]).square())
    along = torch.exp(-0.5 * ((axis - north[:, None]) / width[:, None]).square())
    plume = along[:, :, None] * across[:, None, :]
    return 0.9 * plume / plume.sum(dim=(1, 2), keepdim=True)


@pytest.fixture
def plume():
    return gaussian


@pytest.fixture
def displaced():
    """Return a function that makes emulated plumes and the true ones, moved by random displacements."""

    def make(count: int, spread: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        centre = 4.0 * torch.rand(2, count, generator=generator, dtype=torch.float64) - 2.0
        moved = spread * torch.randn(2, count, generator=generator, dtype=torch.float64)
        width = torch.full((count,), 2.5, dtype=torch.float64)
        return gaussian(*centre, width), gaussian(*(centre + moved), width)

    return make
