"""Observations on their way into a window: streams joined, thinned, averaged, checked."""

from tradewind.couplers.assimilation.observing.network import ObservationNetwork
from tradewind.couplers.assimilation.observing.observed import Observed

__all__ = ["ObservationNetwork", "Observed"]
