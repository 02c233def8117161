"""Markov chains: samples of the posterior of any model."""
