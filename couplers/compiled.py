"""Loops over cells that numba compiles, for what numpy cannot do at once; import it late, numba is heavy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(kernel: Kernel) -> Kernel:
    """Return the function compiled on its first call, kept on disk for later runs.

    Without fast mathematics and threads: results have the same bits wherever rows are made.
    """
    return cast(Kernel, njit(cache=True)(kernel))
