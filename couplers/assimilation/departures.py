"""What an analysis made of its observations: everything that diagnostics are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.coupling.component import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

USED = ""
"""Reason of an observation that was assimilated."""


@dataclass(frozen=True)
class Departures:
    """The observations of one window beside what was simulated before and after; rejected ones included.

    All arrays have shape ``(m,)``; NaN where something is not known.

    Attributes
    ----------
    y, sigma
        Observed, and the standard deviation of its error (that of R, the model's own error included).
    background, analysis
        Simulated before and after: means of the members, or from one state.
    background_sigma, analysis_sigma
        Spread of the members there (N - 1), without the observation's own error.
    rank
        Where the observation, with noise of its error added to the members, falls among the members before
        the analysis, 0 ... N; -1 without members.
    members
        N; 0 without.
    reason
        Why an observation was not used, such as ``background check``; empty where it was.
    coordinates
        Those of the observations (time, latitude, longitude, stream, ...).
    """

    window: Interval
    y: Array
    sigma: Array
    background: Array
    analysis: Array
    background_sigma: Array
    analysis_sigma: Array
    rank: NDArray[np.int64]
    reason: NDArray[np.str_]
    members: int = 0
    coordinates: Mapping[str, Any] = field(default_factory=dict)

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which observations were assimilated."""
        return np.asarray(self.reason == USED)
