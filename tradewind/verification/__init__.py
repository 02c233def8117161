"""Tests that a model keeps what assimilation relies on; see docs/verify.md."""
