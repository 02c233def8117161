"""Models that run as programs of their own, driven through their run directory."""
