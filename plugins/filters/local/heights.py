"""Localisation in the vertical: which levels see which observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.errors import SpecError
from tradewind.plugins.filters.local.groups import Group
from tradewind.plugins.filters.local.kernels import Height
from tradewind.plugins.filters.local.tapers import NUMBERS
from tradewind.plugins.filters.options import Scale, Vertical

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

EMPTY = np.zeros(0)
EVERYWHERE = Height(EMPTY, EMPTY, 0.0, 0, 0.0)
"""No localisation in the vertical."""


@dataclass(frozen=True, eq=False)
class Heights:
    """The vertical coordinates of observations, as distances take them.

    Attributes
    ----------
    vertical
        How far points see; None: all heights.
    coordinates
        Shape ``(m,)``, NaN where an observation has none.
    least
        Weights up to this do not count.
    """

    vertical: Vertical | None
    coordinates: Array
    least: float

    @classmethod
    def over(cls, vertical: Vertical | None, coordinates: Array, least: float) -> Heights:
        """Return the heights of observations, whose `coordinates` are as they give them."""
        return cls(vertical, scaled(coordinates, vertical), least)

    def at(self, levels: Array) -> Height:
        """Return what points at vertical coordinates ``(points,)``, NaN for none, see."""
        if self.vertical is None:
            return EVERYWHERE
        number, coordinates = NUMBERS[self.vertical.taper], self.coordinates
        return Height(scaled(levels, self.vertical), coordinates, self.vertical.radius, number, self.least)

    def of(self, group: Group, points: int) -> list[Height]:
        """Return what `points` points of a group see, for each of its levels that has points of its own."""
        if self.vertical is None or not group.levels:
            return [EVERYWHERE]
        return [self.at(np.full(points, level)) for level in group.levels]


def scaled(heights: Array, vertical: Vertical | None) -> Array:
    """Return vertical coordinates as distances take them.

    Raises
    ------
    SpecError
        Logarithms of what is not positive.
    """
    if vertical is None or vertical.scale is Scale.LINEAR:
        return heights
    if np.any(heights <= 0.0):
        raise SpecError("vertical coordinates are not positive", where="localization", hint="scale: linear")
    return np.asarray(np.log(heights))
