"""Observation operators: from what a component exports to what an instrument sees."""
