"""Diagnostics of what an assimilation made of its observations; see docs/diagnostics.md."""
