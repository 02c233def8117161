"""Components without physics of their own: replayed data, constants, a few lines of user code."""
