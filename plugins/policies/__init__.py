"""Policies that wrap a model call: which answer is used, and what is compared."""
