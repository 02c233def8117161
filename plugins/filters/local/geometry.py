"""Where observations and points are, kept from one analysis to the next while nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.compiled import compiled
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError, SpecError
from tradewind.plugins.filters.local import points as pointing
from tradewind.plugins.filters.local.neighbours import Near, boxed, near, placed, rule, straight_radius
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
    """Return a coordinate of observations, shape ``(m,)``.

    Raises
    ------
    SpecError
        When there is none, or it has another length.
    """
    if name not in observations.coordinates:
        hint = "give it, or no localization"
        raise SpecError(f"observations have no {name}", where="localization", hint=hint)
    values = np.ascontiguousarray(observations.coordinates[name], dtype=np.float64)
    if values.shape != (len(observations),):
        what = f"{name} has shape {values.shape} for {len(observations)} observations"
        raise SpecError(what, where="localization")
    return values


def _refuse_nowhere(values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        what = f"{name} of observation [{first}] is {values[first]}"
        raise DataError(what, where="localization", hint="remove or mend it")


@compiled
def _same(a: Array, b: Array) -> bool:
    same = len(a) == len(b)
    for k in range(len(a)):
        same = same and a[k] == b[k]
    return same


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
        self._own = np.zeros(0), np.zeros(0)
        self._places = np.zeros((0, 3))
        self.boxes = boxed(np.zeros((0, 3)), self.radius)
        self._between: Near | None = None
        self._points: dict[Layout, Points] = {}
        self._reaches: dict[tuple[Layout | None, int], Reach] = {}

    def places(self, observations: Observations) -> Array:
        """Return where this rank's observations are, shape ``(m, 3)``: the same array while they stay.

        Raises
        ------
        SpecError, DataError
            Where they have no place.
        """
        longitude, latitude = coordinate(observations, "longitude"), coordinate(observations, "latitude")
        if not (_same(longitude, self._own[0]) and _same(latitude, self._own[1])):
            _refuse_nowhere(longitude, "longitude")
            _refuse_nowhere(latitude, "latitude")
            self._own = longitude.copy(), latitude.copy()
            self._places = placed(longitude, latitude, self.localization)
            self._reaches = {key: reach for key, reach in self._reaches.items() if key[0] is not None}
        return self._places

    def points(self, layout: Layout) -> Points:
        """Return the points of a layout's cells."""
        if layout not in self._points:
            self._points = dict(list(self._points.items())[-7:])
            self._points[layout] = pointing.of(layout, self.localization, self.together)
        return self._points[layout]

    def look(self, places: Array) -> None:
        """Take in where the observations are that may be seen, shape ``(m, 3)``."""
        if self.boxes.places is not places and not np.array_equal(self.boxes.places, places):
            self.boxes, self._reaches, self._between = boxed(places, self.radius), {}, None

    def reach(self, layout: Layout | None, members: int) -> Reach:
        """Return what points see: of a layout, or with None, those at this rank's observations."""
        block = min(max(ROOM // members**2, FEWEST), MOST)
        if (layout, block) not in self._reaches:
            points = self._at_observations() if layout is None else self.points(layout)
            self._reaches[layout, block] = Reach(points, self.boxes, self.rule, block)
        return self._reaches[layout, block]

    def between(self) -> Near:
        """Return which observations are within reach of each other."""
        if self._between is None:
            alone = np.arange(len(self.boxes.places) + 1)
            self._between = near(self.boxes.places, alone, self.boxes, self.rule)
        return self._between

    def _at_observations(self) -> Points:
        numbers = np.arange(len(self._places) + 1)
        return Points(self._places, numbers, numbers[:-1])
