"""Forward runs: a config without ``solve:``, stepped window by window, with its ledger and its restarts."""

from tradewind.simulation.forward import simulate, simulate_assembled
from tradewind.simulation.restarts import Begin

__all__ = ["Begin", "simulate", "simulate_assembled"]
