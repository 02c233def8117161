"""Native generators of regridding weights."""

from tradewind.couplers.weights.generate import Method, Norm, generate
from tradewind.couplers.weights.triplets import Triplets

__all__ = ["Method", "Norm", "Triplets", "generate"]
