"""Communicators, and who owns which cells."""
