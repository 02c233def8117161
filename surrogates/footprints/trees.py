"""Boosted trees told the same weather: what an emulator of footprints has to be better than."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

import numpy as np

from tradewind.errors import DataError
from tradewind.surrogates.footprints.history import at_ages
from tradewind.surrogates.footprints.observations import Footprints, Hours, Numbers, Window
from tradewind.surrogates.footprints.situations import DEGREE, sun_height, variability

FLOOR = 1e-3
BACK = np.array([1.0, 3.0, 6.0, 12.0])
"""Hours before, of which the trees are told too."""
SETTINGS: Mapping[str, float] = MappingProxyType(
    {"max_iter": 200, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20}
)


class Scale(Enum):
    """What the trees learn: the footprint as it is, or ``ln(footprint + 0.001)``."""

    PLAIN = "plain"
    LOGARITHM = "logarithm"

    def of(self, footprint: Numbers) -> Numbers:
        """Return what is learnt."""
        return footprint if self is Scale.PLAIN else np.log(footprint + FLOOR)

    def back(self, told: Numbers) -> Numbers:
        """Return footprints."""
        return told if self is Scale.PLAIN else np.exp(told) - FLOOR


class Trees:
    """A histogram gradient boosting regressor of scikit-learn over all hours and cells (Friedman 2001).

    Parameters
    ----------
    scale
        What is learnt.

    Raises
    ------
    DataError
        When scikit-learn is not installed.
    """

    def __init__(self, scale: Scale = Scale.PLAIN) -> None:
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor
        except ImportError as error:
            raise DataError("scikit-learn is not installed", hint="pip install tradewind[trees]") from error
        self.scale = scale
        self._model = HistGradientBoostingRegressor(early_stopping=False, random_state=0, **SETTINGS)

    def learn(self, footprints: Footprints, known: Hours | None = None) -> Trees:
        """Fit the trees; return them."""
        rows = tree_features(footprints.hours, footprints.window, known)
        self._model.fit(rows, self.scale.of(footprints.values).ravel())
        return self

    def tell(self, hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
        """Return footprints of `hours`, shape ``(hour, ny, nx)``."""
        told = self._model.predict(tree_features(hours, window, known))
        return self.scale.back(np.asarray(told, dtype=np.float64)).reshape(len(hours), *window.shape)


def tree_features(hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
    """Return what the trees see of each hour and cell, shape ``(hour * ny * nx, feature)``.

    The weather of the hour and of 1, 3, 6 and 12 hours before, tracer and inlet, and where the cell lies:
    east and north of the inlet, upwind and across of it, and how far.
    """
    weather, place = _weather(hours, hours if known is None else known), _places(hours, window)
    each = np.broadcast_to(weather[:, None, :], (*place.shape[:2], weather.shape[1]))
    return np.concatenate([each, place], axis=2).reshape(-1, each.shape[2] + place.shape[2])


def _weather(hours: Hours, known: Hours) -> Numbers:
    past = [at_ages(hours, known, values, BACK) for values in (*known.wind, known.mixing_height)]
    now = (*hours.wind, hours.wind_speed, hours.mixing_height, hours.temperature, hours.pressure)
    others = (1.0 / hours.lifetime, hours.height, sun_height(hours), variability(hours, known))
    return np.column_stack([*now, *others, *past])


def _places(hours: Hours, window: Window) -> Numbers:
    y, x = ((edges[1:] + edges[:-1]) / 2 for edges in (window.south_north, window.west_east))
    stretch = np.cos(np.deg2rad(hours.latitude))[:, None, None]
    east = (x[None, None, :] - hours.longitude[:, None, None]) * DEGREE * stretch
    north = (y[None, :, None] - hours.latitude[:, None, None]) * DEGREE
    east, north = np.broadcast_arrays(east, north)
    angle = np.deg2rad(hours.wind_from)[:, None, None]
    upwind = east * np.sin(angle) + north * np.cos(angle)
    across = east * np.cos(angle) - north * np.sin(angle)
    parts = [east, north, upwind, across, np.hypot(east, north)]
    return np.stack([part.reshape(len(hours), -1) for part in parts], axis=2)
