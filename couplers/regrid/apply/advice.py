"""What to do about fields in another shape than an operator between two grids expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout

    Shape = tuple[int, ...]


def reshaping(shape: Shape, here: Layout, there: Layout) -> str:
    """Return the likeliest remedy for a tensor of `shape` where cells of `here` are expected last.

    Parameters
    ----------
    here
        Layout of the side that the tensor was given to.
    there
        Layout of the other side: tensors of its shape are swapped.
    """
    n, grid, other = here.n_local, here.grid.shape, there.grid.shape
    serial, cells = here.is_serial, shape[-1:]
    flat = f"x.reshape(*x.shape[:-2], {n})"
    remedies = {
        f"flatten rows and columns with {flat}, or use .field(x)": serial and _ends(shape, grid),
        f"longitude comes last: x = x.mT, then {flat}": serial and _ends(shape, grid[::-1]),
        f"this rank owns {n} of {here.n_global} cells: layout.scatter(x) takes them": not serial
        and cells == (here.n_global,),
        "cells come last: x.movedim(0, -1)": shape[:1] == (n,) and len(shape) > 1,
        f"as many cells as {there.grid!r} has: swapped grids? .T goes the other way": cells
        == (there.n_local,),
        f"a field on {there.grid!r}, not flattened: swapped grids?": serial and _ends(shape, other),
    }
    fitting = [remedy for remedy, fits in remedies.items() if fits]
    return fitting[0] if fitting else f"cells of {here!r} come last, in C order of {grid}"


def _ends(shape: Shape, grid: Shape) -> bool:
    return len(grid) == 2 and shape[-2:] == grid
