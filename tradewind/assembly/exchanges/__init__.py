"""Exchanges of a run config: ends, units, times, levels, regridders, and how they merge."""

from tradewind.assembly.exchanges.build import build_exchanges

__all__ = ["build_exchanges"]
