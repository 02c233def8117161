"""Puffs compiled on a whole domain: the same shares as those of a window's own puffs."""

from __future__ import annotations

import pytest
import torch

from tradewind.surrogates.networks.fused.guesses import guess
from tradewind.surrogates.networks.puffs import Puffs

SHAPE = (46, 50)
LATITUDE = 25.0 + 0.5 * torch.arange(SHAPE[0])
CELLS = [(20, 20), (25, 29), (20, 29), (23, 24)]


def shaken(**options: object) -> Puffs:
    torch.manual_seed(2)
    made = Puffs(**{"paths": 3, "particles": 6, "hidden": 5, **options})  # type: ignore[arg-type]
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.4 * torch.randn_like(weights))
    return made


def weather(strength: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    coarse = strength * torch.randn(1, 13, 6, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=SHAPE, mode="bilinear", align_corners=True)[0]


def windows(channels: torch.Tensor) -> torch.Tensor:
    return torch.stack([channels[:, r - 20 : r + 21, c - 20 : c + 21] for r, c in CELLS])


@pytest.mark.parametrize("strength", [0.0, 5.0, 15.0, 40.0])
@pytest.mark.parametrize("options", [{}, {"paths": 1, "particles": 4}, {"ages": 3}])
def test_shares_are_those_of_each_windows_own_puffs(strength, options):
    """Also in gales, whose puffs reach the window's edge, where differences are one-sided."""
    puffs, channels = shaken(**options), weather(strength)
    with torch.no_grad():
        found = guess(puffs, channels, LATITUDE).shares(torch.tensor(CELLS))
        spread = puffs.spread(windows(channels), LATITUDE[[r for r, _ in CELLS]])
    assert found.shape == (4, 2, puffs.paths * puffs.particles, 41)
    torch.testing.assert_close(found[:, 0], spread.east.flatten(1, 2), rtol=0, atol=5e-5)
    torch.testing.assert_close(found[:, 1], spread.north.flatten(1, 2), rtol=0, atol=5e-5)


def test_a_sources_puffs_do_not_depend_on_what_is_asked_with_it():
    with torch.no_grad():
        made = guess(shaken(), weather(10.0), LATITUDE)
        together, alone = made.shares(torch.tensor(CELLS)), made.shares(torch.tensor(CELLS[2:3]))
    assert torch.equal(together[2], alone[0])
