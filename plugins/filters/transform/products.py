"""Products in the space of members, over blocks of observations that are the same on any number of ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.ranks.parallel import ordered_sum
from tradewind.errors import SpecError
from tradewind.plugins.filters.checks import Seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

BLOCK = 1024
"""Observations, by their global number, that are summed together."""


def products(left: Array, right: Array, observations: Observations) -> Array:
    """Return ``Σ_k left_k right_kᵀ`` over the observations of all ranks, shape ``(a, b)``.

    Parameters
    ----------
    left, right
        Shape ``(m, a)`` and ``(m, b)``.
    """
    parts = {block: left[rows].T @ right[rows] for block, rows in blocks(observations)}
    if observations.comm is not None:
        tensors = {block: torch.from_numpy(part) for block, part in parts.items()}
        return np.asarray(ordered_sum(observations.comm, tensors).numpy())
    total = np.zeros((left.shape[1], right.shape[1]))
    for part in parts.values():
        total += part
    return total


def blocks(observations: Observations) -> Iterator[tuple[int, slice]]:
    """Yield this rank's blocks of `BLOCK` global numbers, and where they lie.

    Raises
    ------
    SpecError
        Where observations are shared out without their numbers.
    """
    m = len(observations)
    if observations.comm is None:
        yield from ((start // BLOCK, slice(start, min(start + BLOCK, m))) for start in range(0, m, BLOCK))
        return
    if observations.numbers is None:
        raise SpecError("observations of several ranks have no numbers", hint="give Observations.numbers")
    numbers = observations.numbers.numpy()
    found, starts = np.unique(numbers // BLOCK, return_index=True)
    # a rank may hold none
    for block, start, stop in zip(found, starts, [*starts[1:], m][: len(starts)], strict=True):
        yield int(block), slice(int(start), int(stop))


def inverse_applied(found: Seen, values: Array, observations: Observations) -> Array:
    """Return ``R⁻¹ values``, shape ``(m, a)``.

    Raises
    ------
    SpecError
        Errors that are correlated, of observations that no rank holds all of.
    """
    if found.covariance is None:
        return values
    if observations.comm is not None and observations.comm.size > 1:
        raise SpecError(
            "errors are correlated, and observations are shared out among ranks",
            where="covariance",
            hint="let every rank hold all observations, or give independent errors",
        )
    columns = torch.from_numpy(np.ascontiguousarray(values.T))
    return np.ascontiguousarray(found.covariance.solve(columns).numpy().T)
