"""Column networks in a run: as components by themselves, and in place of another component's step."""
