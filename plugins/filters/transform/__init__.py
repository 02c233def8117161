"""Ensemble-space algebra: weights of members from what they would have shown, one set for everything."""
