"""Datasets through a regridder."""
