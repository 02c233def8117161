"""Variational methods: the minimum of the cost function, sought along gradients."""
