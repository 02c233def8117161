"""The reference transport model: multi-layer, flux-form, positive, mass-conserving."""
