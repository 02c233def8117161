"""Which window and which of its steps an observation belongs to."""
