"""Where observations and points are, kept from one analysis to the next while nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters.local import points as pointing
from tradewind.plugins.filters.local.neighbours import boxed, placed, rule, straight_radius
from tradewind.plugins.filters.local.points import Points
from tradewind.plugins.filters.local.reach import Reach
from tradewind.plugins.filters.options import Localization

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

ROOM = 1 << 21
"""Weights that are made before they are applied (16 MiB)."""
FEWEST, MOST = 16, 4096
"""Points in a block."""


def coordinate(observations: Observations, name: str) -> Array:
    """Return a coordinate of observations, finite, shape ``(m,)``.

    Raises
    ------
    SpecError
        When there is none, or it has another length.
    DataError
        When one is not finite.
    """
    if name not in observations.coordinates:
        raise SpecError(f"observations have no {name}", where="localization", hint="give it, or use no radius")
    values = np.asarray(observations.coordinates[name], dtype=np.float64)
    if values.shape != (len(observations),):
        what = f"{name} has shape {values.shape} for {len(observations)} observations"
        raise SpecError(what, where="localization")
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        raise DataError(f"{name} of observation [{first}] is {values[first]}", where="localization")
    return values


def heights(observations: Observations) -> Array:
    """Return the vertical coordinate of observations, NaN where they have none, shape ``(m,)``."""
    given = observations.coordinates.get("vertical")
    return np.full(len(observations), np.nan) if given is None else np.asarray(given, dtype=np.float64)


class Geometry:
    """Points and what they see.

    Parameters
    ----------
    localization
        How far they see.
    together
        Cells that share a point.
    """

    def __init__(self, localization: Localization, together: int = 1) -> None:
        self.localization, self.together = localization, together
        self.rule, self.radius = rule(localization), straight_radius(localization)
        self._own = np.zeros((2, 0)), np.zeros((0, 3))
        self.boxes = boxed(np.zeros((0, 3)), self.radius)
        self._points: dict[Layout, Points] = {}
        self._reaches: dict[tuple[Layout | None, int], Reach] = {}

    def places(self, observations: Observations) -> Array:
        """Return where this rank's observations are, shape ``(m, 3)``."""
        given = np.stack([coordinate(observations, "longitude"), coordinate(observations, "latitude")])
        if not np.array_equal(given, self._own[0]):
            self._own = given, placed(given[0], given[1], self.localization)
            self._reaches = {k: v for k, v in self._reaches.items() if k[0] is not None}
        return self._own[1]

    def points(self, layout: Layout) -> Points:
        """Return the points of a layout's cells."""
        if layout not in self._points:
            self._points = dict(list(self._points.items())[-7:])
            self._points[layout] = pointing.of(layout, self.localization, self.together)
        return self._points[layout]

    def look(self, places: Array) -> None:
        """Take in where the observations are that may be seen, shape ``(m, 3)``."""
        if not np.array_equal(self.boxes.places, places):
            self.boxes, self._reaches = boxed(places, self.radius), {}

    def reach(self, layout: Layout | None, members: int) -> Reach:
        """Return what points see: of a layout, or with None, those at this rank's observations."""
        block = min(max(ROOM // members**2, FEWEST), MOST)
        if (layout, block) not in self._reaches:
            points = self._at_observations() if layout is None else self.points(layout)
            self._reaches[layout, block] = Reach(points, self.boxes, self.rule, block)
        return self._reaches[layout, block]

    def _at_observations(self) -> Points:
        numbers = np.arange(len(self._own[1]) + 1)
        return Points(self._own[1], numbers, numbers[:-1])
