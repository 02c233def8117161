"""Where a window network may be used: the weather that it was trained on, and a little beyond.

A window is summarised by the mean and the spread of each channel and the latitude. It is inside the domain
when each of these lies within the training range, widened by a margin, and their combination is not
stranger (Mahalanobis distance) than the strangest in training, times the same widening.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tradewind.errors import DataError
from tradewind.surrogates.checkpoint import Bounds
from tradewind.surrogates.datasets import EASTWARD, Windows
from tradewind.surrogates.networks.base import channel_names

MARGIN = 0.1
RIDGE = 1e-6


def feature_names() -> tuple[str, ...]:
    """Return the names of the summary's entries, in order."""
    names = channel_names()
    return (*(f"mean {n}" for n in names), *(f"spread of {n}" for n in names), "latitude")


def summarise(windows: Windows) -> torch.Tensor:
    """Return means, standard deviations and latitude, float64, shape ``(sample, 27)``."""
    x = windows.x.double()
    mean = x.mean(dim=(2, 3))
    spread = (x - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
    return torch.cat([mean, spread, windows.latitude.double()[:, None]], dim=1)


@dataclass(frozen=True)
class Domain:
    """A box and an ellipsoid in the space of summaries.

    Attributes
    ----------
    lower, upper
        Range of each entry, shape ``(27,)``.
    centre, whitening
        Mean of the training summaries, and the inverse Cholesky factor W of their covariance: the squared
        distance of s is ``|W (s - centre)|^2``.
    distance
        Largest distance that counts as inside.
    """

    lower: torch.Tensor
    upper: torch.Tensor
    centre: torch.Tensor
    whitening: torch.Tensor
    distance: float

    @classmethod
    def fit(cls, windows: Windows, margin: float = MARGIN) -> Domain:
        """Fit to a training set and its mirror images (training mirrors windows in longitude).

        Raises
        ------
        DataError
            When the set is empty.
        """
        if not len(windows):
            raise DataError("cannot fit a domain to an empty training set", where="domain")
        seen = summarise(windows)
        return cls.around(torch.cat([seen, _mirrored(seen)]), margin)

    @classmethod
    def around(cls, seen: torch.Tensor, margin: float = MARGIN) -> Domain:
        """Fit to what was seen in training, float64, shape ``(sample, entry)``.

        Raises
        ------
        DataError
            When nothing was.
        """
        if not len(seen):
            raise DataError("cannot fit a domain to an empty training set", where="domain")
        lower, upper = seen.amin(0), seen.amax(0)
        slack = margin * (upper - lower)
        centre, whitening = seen.mean(0), _whitening(seen)
        farthest = _distance(seen, centre, whitening).max()
        return cls(lower - slack, upper + slack, centre, whitening, float(farthest) * (1 + margin))

    @classmethod
    def from_bounds(cls, bounds: Bounds) -> Domain:
        """Return the domain that a checkpoint's header holds."""
        stored = (bounds.lower, bounds.upper, bounds.centre, bounds.whitening)
        lower, upper, centre, whitening = (torch.tensor(v, dtype=torch.float64) for v in stored)
        return cls(lower, upper, centre, whitening, bounds.distance)

    def bounds(self) -> Bounds:
        """Return the domain as plain numbers, for the header of a checkpoint."""
        return Bounds(
            lower=tuple(self.lower.tolist()),
            upper=tuple(self.upper.tolist()),
            centre=tuple(self.centre.tolist()),
            whitening=tuple(tuple(row) for row in self.whitening.tolist()),
            distance=self.distance,
        )

    def contains(self, windows: Windows) -> torch.Tensor:
        """Return which windows are inside, shape ``(sample,)``; one with a NaN is not."""
        return self.holds(summarise(windows))

    def holds(self, summary: torch.Tensor) -> torch.Tensor:
        """Return which summaries, shape ``(sample, 27)`` as `summarise` makes them, are inside."""
        boxed = ((summary >= self.lower) & (summary <= self.upper)).all(dim=1)
        return boxed & (_distance(summary, self.centre, self.whitening) <= self.distance)

    def explain(self, windows: Windows) -> str:
        """Return why the first window that is outside is so; empty when none is."""
        outside = (~self.contains(windows)).nonzero()
        if not len(outside):
            return ""
        sample = int(outside[0])
        summary = summarise(windows)[sample]
        beyond = torch.maximum(self.lower - summary, summary - self.upper) / (self.upper - self.lower + RIDGE)
        worst = int(beyond.nan_to_num(torch.inf).argmax())
        if beyond[worst] <= 0:
            distance = float(_distance(summary[None], self.centre, self.whitening))
            return (
                f"window {sample}: a combination not seen in training ({distance:.3g} > {self.distance:.3g})"
            )
        span = f"{float(self.lower[worst]):.4g} to {float(self.upper[worst]):.4g}"
        return f"window {sample}: {feature_names()[worst]} is {float(summary[worst]):.4g}, trained on {span}"


def _mirrored(summary: torch.Tensor) -> torch.Tensor:
    sign = torch.ones(summary.shape[1], dtype=summary.dtype)
    sign[list(EASTWARD)] = -1.0
    return summary * sign


def _whitening(summaries: torch.Tensor) -> torch.Tensor:
    """Return the inverse Cholesky factor of the covariance, with a small ridge relative to each variance."""
    deviations = summaries - summaries.mean(0)
    covariance = deviations.T @ deviations / len(summaries)
    ridge = torch.diag(RIDGE * (covariance.diagonal() + RIDGE))
    identity = torch.eye(len(covariance), dtype=covariance.dtype)
    factor = torch.linalg.cholesky(covariance + ridge)
    inverse: torch.Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
    return inverse


def _distance(summary: torch.Tensor, centre: torch.Tensor, whitening: torch.Tensor) -> torch.Tensor:
    return ((summary - centre) @ whitening.T).square().sum(dim=1).sqrt()
