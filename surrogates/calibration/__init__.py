"""How far a window network may be wrong: answers put right on average, the covariance of its errors."""

from tradewind.surrogates.calibration.fitting import Calibrated, calibrated, refit
from tradewind.surrogates.calibration.places import Places
from tradewind.surrogates.calibration.recalibration import fit_recalibration, recalibrate, reliability
from tradewind.surrogates.calibration.structure import ErrorMaps, error_maps, fit_structure, likeness

__all__ = [
    "Calibrated",
    "ErrorMaps",
    "Places",
    "calibrated",
    "error_maps",
    "fit_recalibration",
    "fit_structure",
    "likeness",
    "recalibrate",
    "refit",
    "reliability",
]
