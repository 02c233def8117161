"""Control, observations, forward model, solver and filter: what an assimilation is made of."""

from tradewind.couplers.assimilation.contracts import (
    CanStandStill,
    Control,
    Ensemble,
    Filter,
    ForwardModel,
    Looks,
    ObservationOperator,
    Observations,
    ObservationsByWindow,
    Port,
    Posterior,
    Progress,
    Solver,
    WeighsWork,
)
from tradewind.couplers.assimilation.departures import Departures
from tradewind.couplers.assimilation.looks import FunctionLook, LinearLook, Look

__all__ = [
    "CanStandStill",
    "Control",
    "Departures",
    "Ensemble",
    "Filter",
    "ForwardModel",
    "FunctionLook",
    "LinearLook",
    "Look",
    "Looks",
    "ObservationOperator",
    "Observations",
    "ObservationsByWindow",
    "Port",
    "Posterior",
    "Progress",
    "Solver",
    "WeighsWork",
]
