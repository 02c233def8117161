"""Grids: where fields live."""

from tradewind.couplers.grids.grid import Grid, GridKind

__all__ = ["Grid", "GridKind"]
