"""Building the library of Fortran, C and C++ hosts, and telling compilers where it is."""
