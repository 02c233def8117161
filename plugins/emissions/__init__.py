"""Emission inventories."""
