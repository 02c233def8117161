"""The coupled run: components that advance together, its derivatives, and the forward model made of it."""
