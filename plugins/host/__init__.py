"""The host model's own side of a coupling: fields that it puts, or a step of its own."""
