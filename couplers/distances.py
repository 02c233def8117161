"""How distances are measured: a word of run configs, so nothing is imported for it."""

from __future__ import annotations

from enum import StrEnum


class Distance(StrEnum):
    """How distances between places are measured, and in which unit lengths are given.

    Attributes
    ----------
    KM
        Along the great circle, kilometres on a sphere of radius 6371 km.
    DEGREES
        Along the great circle, degrees of arc.
    PLANE
        Straight, longitude and latitude taken as x and y of a plane that does not close upon itself: for
        idealised grids whose coordinates count cells.
    """

    KM = "km"
    DEGREES = "degrees"
    PLANE = "plane"
