"""Components without physics of their own: data that are replayed, constants, and a few lines of user code."""
