"""Observations on their way into a window: streams joined, thinned, averaged, checked."""

from tradewind.couplers.assimilation.observing.boxes import Boxes
from tradewind.couplers.assimilation.observing.errors import Errors
from tradewind.couplers.assimilation.observing.network import ObservationNetwork
from tradewind.couplers.assimilation.observing.observed import Observed
from tradewind.couplers.assimilation.observing.prepared import Preparation, PreparedOperator
from tradewind.couplers.assimilation.observing.screening import (
    Limit,
    Present,
    Screening,
    Selection,
    screen,
)
from tradewind.couplers.assimilation.observing.summed import SummedOperator
from tradewind.couplers.assimilation.observing.thinning import Joining, Thinning, Uncertainty

__all__ = [
    "Boxes",
    "Errors",
    "Joining",
    "Limit",
    "ObservationNetwork",
    "Observed",
    "Preparation",
    "PreparedOperator",
    "Present",
    "Screening",
    "Selection",
    "SummedOperator",
    "Thinning",
    "Uncertainty",
    "screen",
]
