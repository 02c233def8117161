"""A Jacobian that was made before, in place of a component's linearization."""
