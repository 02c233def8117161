"""Native generators of regridding weights."""

from tradewind.couplers.regrid.weights.generate import Method, Norm, generate
from tradewind.couplers.regrid.weights.triplets import Triplets

__all__ = ["Method", "Norm", "Triplets", "generate"]
