"""Boxes of space and time, in which observations are thinned or averaged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.contracts import Observations
from tradewind.couplers.assimilation.places import EARTH_RADIUS_KM, Distance
from tradewind.couplers.coupling.component import Interval
from tradewind.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Indices: TypeAlias = NDArray[np.int64]

EDGE = 1e-9
"""Fraction of a box by which a place may miss its lower edge through rounding."""
AROUND, POLE = 360.0, 90.0


@dataclass(frozen=True)
class Boxes:
    """Boxes of equal sides, from 90 S and 0 E, or from 0 of a plane; in time from a window's start.

    Boxes in kilometres stand in rows of equal height. Each row is divided into as many equal boxes as fit
    in at the latitude of its middle, at least one.

    Attributes
    ----------
    length
        Side, in the unit of `distance`.
    time
        Length in time; None: the window is one.
    """

    length: float
    distance: Distance = Distance.KM
    time: timedelta | None = None

    def of(self, observations: Observations, window: Interval) -> tuple[Indices, Array]:
        """Return the box of each observation, and how far it is from the box's centre, shape ``(m,)``.

        Boxes are numbered from 0, in order of time, height, latitude and longitude; heights, where
        observations have one, never share a box. Distances are squared, in sides of a box.
        """
        row, column, off = self._plane(known(observations, "longitude"), known(observations, "latitude"))
        vertical = np.asarray(observations.coordinates.get("vertical", np.zeros(len(row))))
        keys = np.stack([self._since(observations, window), vertical, row, column], axis=-1)
        return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1), off

    def _plane(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        if self.distance is Distance.PLANE:
            row, up = _cut(y / self.length)
            column, along = _cut(x / self.length)
            return row, column, up**2 + along**2
        height = (
            self.length if self.distance is Distance.DEGREES else np.degrees(self.length / EARTH_RADIUS_KM)
        )
        row, up = _cut((y + POLE) / height)
        middle = np.cos(np.radians(np.clip((row + 0.5) * height - POLE, -POLE, POLE)))
        fit = np.maximum(np.floor(AROUND * middle / height), 1.0)
        width = AROUND / fit if self.distance is Distance.KM else np.full(row.shape, height)
        column, along = _cut((x % AROUND) / width)
        return row, column, up**2 + (along * width * middle / height) ** 2

    def _since(self, observations: Observations, window: Interval) -> Array:
        if self.time is None:
            return np.zeros(len(observations))
        made = known(observations, "time").astype("datetime64[us]")
        since = (made - np.datetime64(window.start, "us")) / np.timedelta64(self.time)
        # what is made as a window ends belongs to its last box
        last = np.ceil(window.seconds / self.time.total_seconds()) - 1.0
        return np.clip(np.floor(since + EDGE), 0.0, last)


def known(observations: Observations, name: str) -> NDArray[Any]:
    """Return a coordinate of observations, shape ``(m,)``.

    Raises
    ------
    DataError
        When they have none of that name.
    """
    if name not in observations.coordinates:
        hint = "the operator's windows() gives coordinates by name"
        raise DataError(f"observations have no {name}", where="observations", hint=hint)
    return np.asarray(observations.coordinates[name])


def _cut(x: Array) -> tuple[Array, Array]:
    """Return the number of the unit interval that holds `x`, and how far that is from its middle."""
    number = np.floor(x + EDGE)
    return number, x - number - 0.5
