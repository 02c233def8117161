"""Idealised models, small enough to prove a method on."""
