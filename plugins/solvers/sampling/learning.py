"""What chains learn on their way: covariances, and sizes of steps."""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-8
"""Variance, in units of the prior's, that keeps a learnt covariance positive."""


class Running:
    """Mean and covariance of what a chain has seen (Welford), for every chain and site.

    Parameters
    ----------
    like
        Of shape ``(chain, site, p)``.
    """

    def __init__(self, like: Tensor) -> None:
        self.count = 0
        self._mean = torch.zeros_like(like)
        self._scatter = like.new_zeros(*like.shape, like.shape[-1])

    def add(self, u: Tensor) -> None:
        """Take in a state."""
        self.count += 1
        before = u - self._mean
        self._mean = self._mean + before / self.count
        self._scatter += before[..., :, None] * (u - self._mean)[..., None, :]

    def factor(self, otherwise: Tensor) -> Tensor:
        """Return the Cholesky factor of the covariance, shape ``(..., p, p)``; the other where there is none.

        A few states say little of a covariance, and are shrunk towards a small one, as Stan does.
        """
        p = self._scatter.shape[-1]
        held = self.count / (self.count + 5.0)
        covariance = held * self._scatter / max(self.count - 1, 1)
        covariance = covariance + TINY * torch.eye(p, dtype=covariance.dtype)
        factor, fault = torch.linalg.cholesky_ex(0.5 * (covariance + covariance.mT))
        return torch.where((fault == 0)[..., None, None], factor, otherwise)


class Scaling:
    """A factor on proposals that is driven to a rate of acceptance (Andrieu and Thoms, 2008, eq. 20)."""

    def __init__(self, target: float, like: Tensor) -> None:
        self.target, self._log, self._steps = target, torch.zeros_like(like), 0

    @property
    def value(self) -> Tensor:
        """The factor, shape ``(chain, site)``."""
        return self._log.exp()

    def learn(self, acceptance: Tensor) -> None:
        """Take in probabilities of acceptance, shape ``(chain, site)``."""
        self._steps += 1
        self._log = self._log + (acceptance - self.target) * self._steps**-0.6


class DualAveraging:
    """A step size that is driven to a rate of acceptance (Hoffman and Gelman, 2014, Algorithm 5).

    Parameters
    ----------
    first
        Sizes to begin with, shape ``(chain, site)``.
    """

    GAMMA, T0, KAPPA = 0.05, 10.0, 0.75

    def __init__(self, target: float, first: Tensor) -> None:
        self.target = target
        self.restart(first)

    def restart(self, first: Tensor) -> None:
        """Begin again with sizes of about `first`."""
        self._centre, self._steps = (10.0 * first).log(), 0
        self._wrong, self._average = torch.zeros_like(first), torch.zeros_like(first)
        self.value = first

    def learn(self, acceptance: Tensor) -> None:
        """Take in probabilities of acceptance."""
        self._steps += 1
        weight = 1.0 / (self._steps + self.T0)
        self._wrong = (1 - weight) * self._wrong + weight * (self.target - acceptance)
        log = self._centre - self._steps**0.5 / self.GAMMA * self._wrong
        share = self._steps**-self.KAPPA
        self._average = share * log + (1 - share) * self._average
        self.value = log.exp()

    def settle(self) -> None:
        """Keep the average from now on."""
        self.value = self._average.exp()
