"""Figures of Fortran hosts: misuse, arrays, derivatives, drivers, speed, memory."""
