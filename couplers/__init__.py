"""Grids, layouts, operators, exchanges and the contracts of everything that is coupled."""
