"""The Fortran face of tradewind."""
