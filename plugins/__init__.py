"""Everything that a run config enables by name: models, policies, solvers, filters, operators."""
