"""Which observations lie within reach of a place: a grid of boxes as wide as the radius."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.assimilation.places import EARTH_RADIUS_KM, Distance, positions, to_straight
from tradewind.couplers.compiled import compiled
from tradewind.plugins.filters.local.tapers import NUMBERS, taper
from tradewind.plugins.filters.options import Localization

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

FINEST = 1 << 20
"""At most this many boxes along an axis: three numbers of boxes fit into 63 bits."""
ALL = -1.0
"""The least weight that counts where all do: a place whose observations all weigh 0 has seen some (PDAF)."""
SLACK = 1e-9
"""Boxes are this much wider than the radius: rounding loses nobody."""


class Rule(NamedTuple):
    """`Localization` as numbers: straight distances times `unit`, or arcs where `curved` is 1."""

    radius: float
    support: float
    taper: int
    least: float
    unit: float
    curved: int


class Boxes(NamedTuple):
    """Places sorted into boxes.

    Attributes
    ----------
    places
        Shape ``(m, 3)``.
    keys
        Number of each place's box, ascending, shape ``(m,)``.
    order
        Place of each key; ascending in a box.
    low
        Corner of the first box, shape ``(3,)``.
    width
        Of a box.
    square
        Of the straight distance beyond which nobody is wanted.
    """

    places: Array
    keys: Index
    order: Index
    low: Array
    width: float
    square: float


class Near(NamedTuple):
    """Observations within reach of each point.

    Attributes
    ----------
    starts
        Where each point's observations begin, shape ``(points + 1,)``.
    index
        Their numbers, ascending for each point.
    weights
        What their inverse variances are multiplied by, in [0, 1].
    """

    starts: Index
    index: Index  # type: ignore[assignment]  # a tuple's method, which nobody needs
    weights: Array


def rule(localization: Localization) -> Rule:
    """Return the numbers of a localisation."""
    distance = localization.distance
    units = {Distance.KM: EARTH_RADIUS_KM, Distance.DEGREES: 180.0 / np.pi, Distance.PLANE: 1.0}
    return Rule(
        float(localization.radius),
        float(localization.support or localization.radius),
        NUMBERS[localization.taper],
        localization.least or ALL,
        units[distance],
        int(distance is not Distance.PLANE),
    )


def straight_radius(localization: Localization) -> float:
    """Return the radius as a straight distance between `placed` points."""
    return to_straight(localization.radius, localization.distance)


def placed(longitude: Array, latitude: Array, localization: Localization) -> Array:
    """Return places in space, shape ``(k, 3)``."""
    found = positions(longitude, latitude, localization.distance)
    flat = np.zeros((len(found), 3))
    flat[:, : found.shape[1]] = found
    return flat


def boxed(places: Array, radius: float) -> Boxes:
    """Return places ``(m, 3)`` in boxes for questions with a straight radius."""
    low = places.min(axis=0, initial=0.0)
    extent = float((places.max(axis=0, initial=0.0) - low).max())
    wide = radius * (1.0 + SLACK) + SLACK
    width = max(wide, extent / FINEST * 2.0)
    keys = key_of(box_of(places, low, width))
    order = np.argsort(keys, kind="stable")
    return Boxes(places, keys[order], order, low, width, wide**2)


def box_of(places: Array, low: Array, width: float) -> Index:
    """Return the box of each place, three numbers, shape ``(m, 3)``."""
    return np.floor((places - low) / width).astype(np.int64)


def key_of(boxes: Index) -> Index:
    """Return one number for three; numbers may be -1 at least."""
    shifted = boxes + 1
    return np.asarray((shifted[..., 0] * (2 * FINEST) + shifted[..., 1]) * (2 * FINEST) + shifted[..., 2])


@compiled
def near(places: Array, groups: Index, boxes: Boxes, how: Rule) -> Near:
    """Return the observations within reach of each group of places, by the mean distance to its members.

    Parameters
    ----------
    places
        Shape ``(k, 3)``.
    groups
        Where each group begins in `places`, shape ``(points + 1,)``.
    """
    points = len(groups) - 1
    starts = np.zeros(points + 1, dtype=np.int64)
    index, weights = np.empty(64, dtype=np.int64), np.empty(64)
    mark = np.full(len(boxes.order), -1, dtype=np.int64)
    found = np.empty(len(boxes.order), dtype=np.int64)
    for point in range(points):
        many = 0
        for cell in range(groups[point], groups[point + 1]):
            many = _collect(places[cell], boxes, mark, point, found, many)
        at = starts[point]
        if at + many > len(index):
            index, weights = _longer(index, weights, at, at + many)
        candidates = np.sort(found[:many])
        for o in candidates:
            distance = _mean_distance(places, groups[point], groups[point + 1], boxes.places, o, how)
            if distance > how.radius:
                continue
            weight = taper(how.taper, distance, how.support)
            if weight > how.least:
                index[at], weights[at] = o, weight
                at += 1
        starts[point + 1] = at
    last = starts[points]
    return Near(starts, index[:last].copy(), weights[:last].copy())


@compiled
def _longer(index: Index, weights: Array, used: int, wanted: int) -> tuple[Index, Array]:
    size = max(2 * len(index), wanted)
    more_index, more_weights = np.empty(size, dtype=np.int64), np.empty(size)
    more_index[:used], more_weights[:used] = index[:used], weights[:used]
    return more_index, more_weights


@compiled
def _collect(place: Array, boxes: Boxes, mark: Index, point: int, found: Index, many: int) -> int:
    """Append to `found` whatever is within reach of a place and not marked yet: from the boxes about it."""
    x = int(np.floor((place[0] - boxes.low[0]) / boxes.width)) + 1
    y = int(np.floor((place[1] - boxes.low[1]) / boxes.width)) + 1
    z = int(np.floor((place[2] - boxes.low[2]) / boxes.width)) + 1
    base = 2 * 1048576
    if min(x, y, z) < -1 or max(x, y, z) > base:
        return many
    for i in range(max(x - 1, 0), x + 2):
        for j in range(max(y - 1, 0), y + 2):
            row = (i * base + j) * base
            first = np.searchsorted(boxes.keys, row + max(z - 1, 0))
            for k in range(first, len(boxes.keys)):
                if boxes.keys[k] > row + z + 1:
                    break
                o = boxes.order[k]
                square = 0.0
                for axis in range(3):
                    square += (place[axis] - boxes.places[o, axis]) ** 2
                if mark[o] != point and square <= boxes.square:
                    mark[o] = point
                    found[many] = o
                    many += 1
    return many


@compiled
def _mean_distance(places: Array, first: int, last: int, others: Array, o: int, how: Rule) -> float:
    total = 0.0
    for cell in range(first, last):
        square = 0.0
        for axis in range(3):
            square += (places[cell, axis] - others[o, axis]) ** 2
        straight = np.sqrt(square)
        if how.curved:
            straight = 2.0 * np.arcsin(min(straight / 2.0, 1.0))
        total += straight * how.unit
    return float(total / (last - first))
