"""How well footprints are told."""

from __future__ import annotations

import numpy as np

from tradewind.errors import DataError
from tradewind.surrogates.footprints.observations import Numbers


def r_squared(told: Numbers, true: Numbers) -> float:
    """Return ``1 - Σ (told - true)² / Σ (true - mean)²``; mean and sums are over all hours and cells.

    Footprints as they are, in their units, not by their logarithms: large values count as they do in a
    concentration.

    Raises
    ------
    DataError
        When the shapes differ, or all that is true is one number.
    """
    if told.shape != true.shape:
        raise DataError(f"footprints of shape {told.shape} are compared with {true.shape}")
    total = float(((true - true.mean()) ** 2).sum()) if true.size else 0.0
    if not total > 0:
        raise DataError("footprints do not vary, so nothing can be explained")
    return 1.0 - float(((told - true) ** 2).sum()) / total


def log_r_squared(told: Numbers, true: Numbers, floor: float = 1e-3) -> float:
    """Return `r_squared` of ``ln(footprint + floor)``."""
    return r_squared(np.log(np.maximum(told, 0.0) + floor), np.log(true + floor))
