"""Figures of regridding, beside ESMPy's."""
