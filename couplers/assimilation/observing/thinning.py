"""Fewer observations: one of each box, or the mean of each box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.assimilation.contracts import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.assimilation.observing.boxes import AROUND, Boxes, known
from tradewind.couplers.assimilation.observing.prepared import Remade, selection
from tradewind.couplers.coupling.component import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]

COUNT = "count"
"""Coordinate: of how many observations each is the mean."""


@dataclass(frozen=True)
class Thinning:
    """Of the observations in one box, the one nearest to its centre is kept.

    Of several that are equally near it is the earliest, then the southernmost, the westernmost, the least:
    whatever the order in which they are given.
    """

    boxes: Boxes

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return those that are kept, in their order."""
        if not len(observations):
            return Remade(observations)
        box, off = self.boxes.of(observations, window)
        where = (known(observations, name) for name in ("longitude", "latitude", "time"))
        # the last key counts first
        keys = (observations.y.numpy(), *where, off, box)
        order = np.lexsort(keys)
        first = np.r_[True, box[order][1:] != box[order][:-1]]
        kept = np.sort(order[first])
        return Remade(observations.take(torch.from_numpy(kept)), selection(kept, len(box)))

    def note(self, before: int, after: int) -> str:
        """Return how many are kept."""
        return f"{after} of {before} observations kept by thinning"


class Uncertainty(StrEnum):
    """What the uncertainty sO of one observation holds."""

    INSTRUMENT = "instrument"
    TOTAL = "total"


@dataclass(frozen=True)
class Joining:
    """The observations in one box become their mean.

    The error of a mean of p with errors sO that go together by r, and an error s_t that all share, is

        s(p)² = sO² ((1 - r) / p + r) + s_t²

    (Chen et al., 2023, doi:10.5194/acp-23-5945-2023), with sO² the mean over the box. Where sO is the
    total error of one observation, it is ``sO² s(p)² / s(1)²``.

    Attributes
    ----------
    correlation, transport_error
        r and s_t, the latter in the observations' units.
    uncertainty
        Whether sO holds s_t.
    """

    boxes: Boxes
    correlation: float = 0.55
    transport_error: float = 0.0
    uncertainty: Uncertainty = Uncertainty.INSTRUMENT

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return one for each box, in the order of the boxes, with how many went in as ``count``."""
        if not len(observations) or observations.covariance is None:
            return Remade(observations)
        box, _ = self.boxes.of(observations, window)
        count = np.bincount(box)
        m = len(box)
        matrix = sparse.csr_array((1.0 / count[box], (box, np.arange(m))), shape=(len(count), m))
        variance = self.variance(matrix @ observations.covariance.diagonal().numpy(), count)
        coordinates = _means(observations.coordinates, box, matrix) | {COUNT: count}
        y = torch.from_numpy(matrix @ observations.y.numpy())
        made = Observations(y, DiagonalCovariance(torch.from_numpy(variance)), coordinates)
        return Remade(made, matrix)

    def variance(self, single: Array, count: Indices) -> Array:
        """Return the variance of means of `count` observations of variance `single`, shape ``(p,)``."""
        r, shared = self.correlation, self.transport_error**2
        mean = single * ((1.0 - r) / count + r) + shared
        total = single * mean / (single + shared)
        return total if self.uncertainty is Uncertainty.TOTAL else mean

    def note(self, before: int, after: int) -> str:
        """Return how many are left."""
        return f"{before} observations averaged to {after}"


def _means(coordinates: Mapping[str, Any], box: Indices, matrix: sparse.csr_array) -> dict[str, Any]:
    first = np.unique(box, return_index=True)[1]
    return {name: _mean(name, np.asarray(values), first, box, matrix) for name, values in coordinates.items()}


def _mean(
    name: str, values: NDArray[Any], first: Indices, box: Indices, matrix: sparse.csr_array
) -> NDArray[Any]:
    """Return the mean over each box, reckoned from its first observation; of texts, that one's own."""
    start = values[first]
    if values.dtype.kind == "M":
        since = (values - start[box]).astype("timedelta64[ns]").astype(np.float64)
        return np.asarray(start + np.round(matrix @ since).astype("timedelta64[ns]"))
    if values.dtype.kind not in "fiu":
        return start
    since = np.asarray(values - start[box], dtype=np.float64)
    if name == "longitude":
        # the two sides of the date line, or of Greenwich, are near
        since = (since + AROUND / 2.0) % AROUND - AROUND / 2.0
    return np.asarray(start + matrix @ since)
