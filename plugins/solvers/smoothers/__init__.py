"""Ensemble smoothers: posteriors from members, without derivatives of the model."""
