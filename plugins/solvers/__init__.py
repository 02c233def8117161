"""Methods that call the model and give a posterior."""
