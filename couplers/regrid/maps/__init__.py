"""Weight files: their layouts, and the grids and entries in them."""
