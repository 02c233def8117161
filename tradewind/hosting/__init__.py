"""Sessions of host models: what the C library calls, with arrays of the host's own memory."""
