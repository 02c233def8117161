"""Results as CF netCDF files."""
