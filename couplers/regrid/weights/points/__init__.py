"""Weights of places: bilinear, patch, nearest, and what lies beyond."""
