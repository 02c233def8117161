"""Conservative weights: cells cut by cells."""
