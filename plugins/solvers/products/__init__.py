"""Sums over all soundings, from which inversions are solved."""
