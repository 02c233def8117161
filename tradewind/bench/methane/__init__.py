"""Figures of the complete methane inversion."""
