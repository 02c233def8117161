"""Have chains converged: split R-hat and effective sample size."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 256
"""Elements that are looked at together."""


def split_r_hat(draws: Tensor) -> Tensor:
    """Return R-hat of chains cut into halves (Gelman et al., 2013, section 11.4), shape ``(k,)``.

    Parameters
    ----------
    draws
        Shape ``(step, chain, k)``, four steps or more. A chain that never moves gives infinity.
    """
    halves = _halves(draws)
    length = len(halves)
    within = halves.var(0).mean(0)
    between = length * halves.mean(0).var(0)
    ratio = (length - 1) / length + between / (length * within)
    worth: Tensor = torch.where(within > 0, ratio, torch.inf)
    return worth.sqrt()


def effective_size(draws: Tensor) -> Tensor:
    """Return how many independent draws the chains are worth, shape ``(k,)``.

    From autocorrelations over all halves of chains, up to where the sums of neighbouring lags are no
    longer positive, and made monotone (Geyer, 1992; Gelman et al., 2013, section 11.5).

    Parameters
    ----------
    draws
        Shape ``(step, chain, k)``.
    """
    return torch.cat([_effective(part) for part in torch.split(draws, CHUNK, dim=-1)])


def _effective(draws: Tensor) -> Tensor:
    halves = _halves(draws)
    length, chains = halves.shape[:2]
    covariances = _autocovariances(halves)
    within = covariances[0].mean(0) * length / (length - 1)
    total = covariances[0].mean(0) + halves.mean(0).var(0)
    correlation = 1.0 - (within - covariances.mean(1)) / total
    pairs = correlation[: 2 * (length // 2)].reshape(length // 2, 2, -1).sum(1)
    positive = (pairs > 0).to(pairs.dtype).cumprod(0)
    monotone = (pairs.cummin(0).values * positive).sum(0)
    size = length * chains / (2.0 * monotone - 1.0).clamp(min=1.0 / (length * chains))
    found: Tensor = torch.where(within > 0, size, 0.0)
    return found


def _autocovariances(draws: Tensor) -> Tensor:
    """Return those of all lags, shape ``(lag, chain, k)``, by the Fourier transform."""
    length = len(draws)
    spectrum = torch.fft.rfft(draws - draws.mean(0), n=2 * length, dim=0)
    found: Tensor = torch.fft.irfft(spectrum.abs().square(), n=2 * length, dim=0)
    return found[:length] / length


def _halves(draws: Tensor) -> Tensor:
    """Return ``(step // 2, 2 * chain, k)``; the middle step of an odd number is left out."""
    half = len(draws) // 2
    return torch.cat([draws[:half], draws[len(draws) - half :]], dim=1)
