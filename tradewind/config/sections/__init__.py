"""What may stand in a run config: its sections, keys and types of values."""
