"""Sampling in space: the rows of H."""
