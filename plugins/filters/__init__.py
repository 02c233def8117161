"""Methods that update an ensemble and call no model."""
