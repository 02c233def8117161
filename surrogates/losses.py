"""What training makes small, as small classes: each is a mean over samples of a misfit of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

TINY = 1e-8


class Loss(Protocol):
    """A scalar misfit of predicted and true maps, each ``(sample, 41, 41)``."""

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""


@dataclass(frozen=True)
class RelativeL2:
    """Mean of ``|p - t| / |t|`` (Euclidean norms of maps): every plume counts the same."""

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""
        misfit = (predicted - target).square().sum(dim=(1, 2)) + TINY**2
        return (misfit / (target.square().sum(dim=(1, 2)) + TINY)).sqrt().mean()


@dataclass(frozen=True)
class MeanSquare:
    """Mean square of ``p - t`` over cells, times the number of cells."""

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""
        return (predicted - target).square().sum(dim=(1, 2)).mean()


@dataclass(frozen=True)
class MeanAbsolute:
    """Mean of the mass in the wrong place: the sum over cells of ``|p - t|``."""

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""
        return (predicted - target).abs().sum(dim=(1, 2)).mean()


@dataclass(frozen=True)
class Divergence:
    """Kullback-Leibler divergence of predicted from true shares, what left the window included.

    Predictions below `floor` count as `floor`-ish, so a network with a linear output can use it too.
    """

    floor: float = 1e-7

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""
        p, t = with_remainder(predicted), with_remainder(target)
        ratio = torch.log(t + self.floor) - torch.log(p.clamp_min(0.0) + self.floor)
        return (t * ratio).sum(dim=1).mean()


@dataclass(frozen=True)
class Weighted:
    """A weighted sum of losses."""

    parts: Sequence[tuple[float, Loss]]

    def __call__(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the misfit, shape ``()``."""
        terms = [weight * loss(predicted, target) for weight, loss in self.parts]
        return torch.stack(terms).sum()


def with_remainder(shares: torch.Tensor) -> torch.Tensor:
    """Return shares of shape ``(sample, 41 * 41 + 1)``: the cells, then what is in none of them."""
    cells = shares.flatten(1)
    return torch.cat([cells, (1.0 - cells.sum(dim=1, keepdim=True)).clamp_min(0.0)], dim=1)
