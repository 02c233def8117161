"""Footprints: how an observation feels the fluxes around it, from the weather at its inlet alone."""
