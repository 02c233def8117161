"""Control, observations, forward model, solver and filter: what an assimilation is made of."""

from tradewind.couplers.assimilation.contracts import (
    Control,
    Ensemble,
    Filter,
    ForwardModel,
    ObservationOperator,
    Observations,
    ObservationsByWindow,
    Posterior,
    Progress,
    Solver,
)

__all__ = [
    "Control",
    "Ensemble",
    "Filter",
    "ForwardModel",
    "ObservationOperator",
    "Observations",
    "ObservationsByWindow",
    "Posterior",
    "Progress",
    "Solver",
]
