"""Native generators of regridding weights."""
