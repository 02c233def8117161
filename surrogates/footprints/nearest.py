"""The footprint of the nearest hour that is known: what shows whether a hold-out leaks."""

from __future__ import annotations

import numpy as np

from tradewind.surrogates.footprints.observations import Footprints, Hours, Numbers, Window


class Nearest:
    """Copies the footprint of the known hour that is nearest in time, of the same tracer where there is one.

    Parameters
    ----------
    known
        Hours and their footprints.
    """

    def __init__(self, known: Footprints) -> None:
        self._known = known

    def tell(self, hours: Hours, window: Window, known: Hours | None = None) -> Numbers:
        """Return footprints of `hours`, shape ``(hour, ny, nx)``."""
        mine = self._known.hours
        apart = np.abs(hours.time[:, None] - mine.time)
        other = hours.tracer[:, None] != mine.tracer
        # any hour of the same tracer is nearer than all hours of others
        nearest = np.argmin(apart + other * (1.0 + apart.max()), axis=1)
        return np.asarray(self._known.values[nearest])
