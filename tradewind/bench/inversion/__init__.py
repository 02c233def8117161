"""Figures of the inversion and its networks."""
