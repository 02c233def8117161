"""The forward model of an assimilation: from control through a coupled run to simulated observations."""

from tradewind.coupled.model.forward import CoupledModel
from tradewind.coupled.model.stand_in import Calls, StandIn
from tradewind.coupled.model.standing import StandingStill

__all__ = ["Calls", "CoupledModel", "StandIn", "StandingStill"]
