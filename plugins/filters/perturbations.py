"""Perturbed observations: the same for an observation wherever it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.plugins.filters.checks import Seen
from tradewind.plugins.filters.transform.products import BLOCK, blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

STREAM = 2
"""Sets these random numbers apart from those of other things with the same seed."""


def perturbations(found: Seen, observations: Observations, seed: int, number: int) -> Array:
    """Return ε, shape ``(m, N)``, in units of `found`: its mean over members is 0.

    Random numbers are drawn for blocks of global numbers, so they do not depend on who holds what.
    """
    m, members = found.anomalies.shape
    out = np.empty((m, members))
    for block, rows in blocks(observations):
        drawn = np.random.default_rng([seed, number, STREAM, block]).standard_normal((BLOCK, members))
        within = np.arange(m)[rows] if observations.numbers is None else observations.numbers.numpy()[rows]
        out[rows] = drawn[within - block * BLOCK]
    total = np.zeros(m)
    for member in range(members):
        total += out[:, member]
    out -= (total / members)[:, None]
    if found.covariance is None:
        return out
    standard = torch.from_numpy(np.ascontiguousarray(out.T))
    return np.ascontiguousarray(found.covariance.sqrt(standard).numpy().T)
