"""``tradewind train``: configs, samples, checkpoints."""
