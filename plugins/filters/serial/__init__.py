"""Analyses observation by observation."""
