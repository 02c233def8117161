"""Control, observations and method of an assimilation."""

from tradewind.assembly.estimation.control import build_control
from tradewind.assembly.estimation.method import build_solver
from tradewind.assembly.estimation.observations import build_observations

__all__ = ["build_control", "build_observations", "build_solver"]
