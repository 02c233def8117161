"""What an inlet knew of the weather in the hours before: of its own run, and never of the future."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from tradewind.surrogates.footprints.observations import Hours, Numbers

LONGEST = 20.0
"""Hours that are looked back: longer than air takes through a window of 300 km, except in a calm."""
AGES = 22


def age_edges(count: int = AGES, first: float = 0.08, last: float = LONGEST) -> Numbers:
    """Return edges of ages in hours, shape ``(count + 1,)``: close together where the air is near."""
    return np.concatenate([[0.0], np.geomspace(first, last, count)])


@dataclass(frozen=True)
class History:
    """Weather at the inlet at the hours' times less some ages; all of shape ``(hour, age)``.

    Attributes
    ----------
    ages
        Middles of the ages, hours, shape ``(age,)``.
    lengths
        How long each age lasts, hours, shape ``(age,)``.
    eastward, northward
        Wind, m s-1.
    mixing_height
        Metres.
    """

    ages: Numbers
    lengths: Numbers
    eastward: Numbers
    northward: Numbers
    mixing_height: Numbers

    @classmethod
    def of(cls, hours: Hours, known: Hours | None = None, edges: Numbers | None = None) -> Self:
        """Return the history of `hours`.

        Between the hours that are known of a run the weather is interpolated; before the first of them it
        is that of the first.

        Parameters
        ----------
        known
            Hours whose weather is known, those of the runs as a whole; by default `hours` themselves. Only
            weather is taken from them, and only of the same run and not later.
        edges
            Of the ages, hours.
        """
        edges = age_edges() if edges is None else edges
        ages = (edges[1:] + edges[:-1]) / 2
        known = _weather_known(hours if known is None else known)
        past = [at_ages(hours, known, values, ages) for values in (*known.wind, known.mixing_height)]
        return cls(ages, np.diff(edges), *past)


def _weather_known(known: Hours) -> Hours:
    return known[known.usable]


def at_ages(hours: Hours, known: Hours, values: Numbers, ages: Numbers) -> Numbers:
    """Return `values` of `known` hours at the times of `hours` less `ages`, shape ``(hour, age)``.

    NaN where nothing is known at the time or before it.
    """
    found = np.full((len(hours), len(ages)), np.nan)
    for run in np.unique(hours.run):
        of_run, there = hours.run == run, known.run == run
        order = np.argsort(known.time[there], kind="stable")
        times, series = known.time[there][order], values[there][order]
        found[of_run] = _looked_up(hours.time[of_run], ages, times, series)
    return found


def _looked_up(time: Numbers, ages: Numbers, times: Numbers, series: Numbers) -> Numbers:
    """Return the series at `time` less `ages`: past it, the last that was known by then is held."""
    found = np.full((len(time), len(ages)), np.nan)
    for i, now in enumerate(time):
        end = int(np.searchsorted(times, now, side="right"))
        if end:
            found[i] = np.interp(now - ages, times[:end], series[:end])
    return found
