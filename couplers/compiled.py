"""Loops over cells that numba compiles, for what numpy cannot do at once; import it late, numba is heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Return the function compiled on its first call, kept on disk for later runs where there is a place.

    Without fast mathematics and threads: results have the same bits wherever rows are made. What is kept is
    made anew when the function's own file changes; after a change to a kernel of another file that it calls,
    touch its own.
    """
    try:
        made = njit(cache=True)(kernel)
    except RuntimeError:  # no folder for the cache can be written: compiled in every run
        made = njit(kernel)
    return cast(Kernel, made)
