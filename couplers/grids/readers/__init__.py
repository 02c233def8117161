"""Grids read from files of many conventions."""
