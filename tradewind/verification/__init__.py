"""Checks of what assimilation relies on: see docs/verify.md."""
