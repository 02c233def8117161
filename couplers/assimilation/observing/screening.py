"""The background check: observations too far from what is simulated before they are assimilated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.contracts import Observations
from tradewind.couplers.assimilation.departures import USED
from tradewind.couplers.assimilation.observing.network import STREAM
from tradewind.couplers.assimilation.observing.prepared import Remade, selection
from tradewind.couplers.coupling.component import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR = "background check"
MISSING = "missing value"
UNKNOWN = "not simulated"


@dataclass(frozen=True)
class Limit:
    """How far is too far.

    Attributes
    ----------
    departure
        k.
    background_error
        Standard deviation of what is simulated; None: the spread of the members.
    """

    departure: float
    background_error: float | None = None


@dataclass(frozen=True)
class Screening:
    """Which observations may be used.

    Attributes
    ----------
    reasons
        Why one may not, shape ``(m,)``; empty where it may.
    """

    reasons: NDArray[np.str_]

    @property
    def used(self) -> Tensor:
        """Those that may, bool of shape ``(m,)``."""
        return torch.from_numpy(self.reasons == USED)

    @property
    def notes(self) -> list[str]:
        """How many may not, by reason."""
        reasons, counts = np.unique(self.reasons[self.reasons != USED], return_counts=True)
        total = len(self.reasons)
        pairs = zip(reasons, counts, strict=True)
        return [f"{count} of {total} observations rejected: {reason}" for reason, count in pairs]


def screen(
    observations: Observations, simulated: Tensor, limits: Limit | Mapping[str, Limit | None]
) -> Screening:
    """Refuse ``|y - mean(H x)| > k sqrt(sigma² + spread²)``, and what is NaN on either side.

    Parameters
    ----------
    simulated
        H x, shape ``(m,)``, or of members, ``(member, m)``; one alone has no spread.
    limits
        For all, or by the name of the stream (`ObservationNetwork`); None: no limit.
    """
    members = simulated[None] if simulated.ndim == 1 else simulated
    y, mean = observations.y.numpy(), members.mean(dim=0).numpy()
    spread = members.std(dim=0, correction=1).numpy() if members.shape[0] > 1 and len(y) else 0.0 * mean
    reasons = np.full(mean.shape, USED, dtype="<U16")
    reasons[too_far(observations, mean, spread, limits)] = FAR
    reasons[np.isnan(mean)] = UNKNOWN
    reasons[np.isnan(y)] = MISSING
    return Screening(reasons)


def too_far(
    observations: Observations,
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
    limits: Limit | Mapping[str, Limit | None],
) -> NDArray[np.bool_]:
    """Return which observations are beyond their limit, shape ``(m,)``; NaN is not.

    Parameters
    ----------
    mean, spread
        Of what members show, shape ``(m,)``.
    """
    off, sigma = np.abs(observations.y.numpy() - mean), np.zeros(mean.shape)
    if observations.covariance is not None:
        sigma = observations.covariance.diagonal().sqrt().numpy()
    far = np.zeros(mean.shape, dtype=bool)
    for limit, mine in _by_stream(observations, limits):
        own = spread if limit.background_error is None else limit.background_error
        far |= mine & (off > limit.departure * np.sqrt(sigma**2 + own**2))
    return far


def _by_stream(
    observations: Observations, limits: Limit | Mapping[str, Limit | None]
) -> list[tuple[Limit, NDArray[np.bool_]]]:
    if isinstance(limits, Limit):
        return [(limits, np.ones(len(observations), dtype=bool))]
    streams = np.asarray(observations.coordinates[STREAM])
    return [(limit, streams == name) for name, limit in limits.items() if limit is not None]


@dataclass(frozen=True)
class Selection:
    """Takes those observations of each window that were not refused: a preparation.

    Attributes
    ----------
    screenings
        By window; of a window without one, all are taken.
    """

    screenings: Mapping[Interval, Screening]

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return those that may be used."""
        found = self.screenings.get(window)
        if found is None or bool(found.used.all()):
            return Remade(observations)
        which = found.used.nonzero()[:, 0]
        return Remade(observations.take(which), selection(which.numpy(), len(observations)))

    def note(self, before: int, after: int) -> str:
        """Return nothing: reasons are told by who refused."""
        return ""


class Present:
    """Leaves out observations whose value is NaN: a preparation, for operators that let them pass."""

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return those that have a value."""
        missing = torch.isnan(observations.y)
        if not bool(missing.any()):
            return Remade(observations)
        which = (~missing).nonzero()[:, 0]
        return Remade(observations.take(which), selection(which.numpy(), len(observations)))

    def note(self, before: int, after: int) -> str:
        """Return how many were left out."""
        return f"{before - after} of {before} observations dropped: {MISSING}" if after < before else ""
