"""Posteriors from products: forms, bounds, lognormal priors, ensembles, rolling mode."""
