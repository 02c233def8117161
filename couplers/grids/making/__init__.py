"""How grids are made: constructors, corners, cubes."""
