"""Regridding: weights, their files, and the operator that they become."""
