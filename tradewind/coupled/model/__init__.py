"""The forward model of an assimilation: from control through a coupled run to simulated observations."""

from tradewind.coupled.model.forward import CoupledModel
from tradewind.coupled.model.standing import StandingStill
from tradewind.coupled.model.surrogates import Calls, StandIn

__all__ = ["Calls", "CoupledModel", "StandIn", "StandingStill"]
