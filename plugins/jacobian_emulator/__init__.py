"""The Jacobian emulator: one network evaluation per column of the transport's Jacobian."""
