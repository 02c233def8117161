"""Derivatives of a coupled run: tapes and their checkpoints, sweeps forward and in reverse."""
