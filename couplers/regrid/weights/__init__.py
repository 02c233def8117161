"""Native generators of regridding weights."""

from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights.generate import generate
from tradewind.couplers.regrid.weights.triplets import Triplets

__all__ = ["Method", "Norm", "Scheme", "Triplets", "generate"]
