"""Weights applied: products, what ranks fetch for them, and what is wrong with an input."""
