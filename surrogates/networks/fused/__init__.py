"""Networks with what lies between their matrix products compiled into few passes over memory."""
