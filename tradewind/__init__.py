"""Trained surrogates in place of expensive model calls inside data-assimilation loops."""
