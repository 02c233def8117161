"""Networks that stand in for expensive model calls, their training and their checkpoints."""
