"""Several exchanges into one import: added up, or weighted by the parts of a cell that each answers for.

    y_i = Σ_k f_ki y_ki,        Σ_k f_ki = 1

where k counts land, ocean, ice ... and f_ki is the part of target cell i that is k. A fraction that is known
on the source's cells goes through the weights together with the field, y_i = Σ_j W_ij f_j x_j with W divided
by whole target areas, so that nothing is lost; its own image W f then takes the place of f_ki in the sum.
This is how CMEPS merges (Danabasoglu et al. 2020, doi 10.1029/2019MS001916).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.ranks.parallel import agree
from tradewind.errors import DataError

if TYPE_CHECKING:
    from tradewind.couplers.coupling.exchange import End

TOLERANCE = 1e-6
"""By how much fractions may miss 0, 1, and their sum 1."""


def check_range(fraction: Tensor, end: End, tolerance: float = TOLERANCE) -> None:
    """Refuse fractions beyond 0 and 1, or missing, on active cells; collective.

    Parameters
    ----------
    fraction
        Shape ``(..., cell)``, on the cells of `end`.

    Raises
    ------
    DataError
        Names the end, the worst cell with its place, and the value there.
    """
    beyond = torch.maximum(-fraction, fraction - 1.0)
    with agree(end.layout.comm, f"a fraction of {end.port}"):
        worst = _worst(beyond, end)
        if worst is not None and not worst[1] <= tolerance:
            value = float(fraction.reshape(-1, end.layout.n_local)[worst[2], worst[0]])
            raise DataError(
                f"a fraction is {value:g} at {_place(end, worst[0])}", where=end.port,
                hint="fractions lie between 0 and 1; divide per cent by 100",
            )  # fmt: skip


def check_fractions(fractions: Sequence[Tensor], end: End, tolerance: float = TOLERANCE) -> None:
    """Refuse fractions that do not add up to 1 on every active cell, or lie beyond 0 and 1; collective.

    Parameters
    ----------
    fractions
        Of all exchanges into one import, each of shape ``(cell,)`` or ``(member, cell)``, this rank's cells.
    end
        The import.
    tolerance
        What is allowed, absolute.

    Raises
    ------
    DataError
        Names the import, the worst cell with its place, and the sum there.
    """
    for fraction in fractions:
        check_range(fraction, end, tolerance)
    total = reduce(torch.add, fractions)
    with agree(end.layout.comm, f"fractions of {end.port}"):
        worst = _worst((total - 1.0).abs(), end)
        if worst is not None and not worst[1] <= tolerance:
            value = float(total.reshape(-1, end.layout.n_local)[worst[2], worst[0]])
            raise DataError(
                f"the fractions of what is merged add up to {value:.9g} at {_place(end, worst[0])}",
                where=end.port, hint="they must add up to 1 on every active cell, or say `merge: sum`",
            )  # fmt: skip


def _worst(values: Tensor, end: End) -> tuple[int, float, int] | None:
    """Return cell, value and member of the largest on this rank's active cells; what is NaN is largest."""
    active = torch.from_numpy(end.layout.grid.mask[end.layout.owned])
    if not bool(active.any()) or not values.numel():
        return None
    rows = values.detach().reshape(-1, end.layout.n_local).nan_to_num(nan=torch.inf)
    flat = int(torch.where(active, rows, -torch.inf).argmax())
    member, cell = divmod(flat, end.layout.n_local)
    return cell, float(rows[member, cell]), member


def _place(end: End, cell: int) -> str:
    """Return number, latitude and longitude of a cell of this rank, in words."""
    grid, number = end.layout.grid, int(end.layout.owned[cell])
    lat, lon = (float(np.ravel(axis)[number]) for axis in (grid.lat, grid.lon))
    return f"cell {number} (lat {lat:.4g}, lon {lon:.4g})"
