"""Masks of grids: which cells are active, from booleans, zeros and ones, or codes."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import checks
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Flags: TypeAlias = NDArray[np.bool_]

FRACTIONS = "a grid's mask is yes or no; give fractions with each call of a regridder"


def active(mask: ArrayLike | None, shape: tuple[int, ...], where: str) -> Flags:
    """Return a flat True for every active cell: booleans as they are, numbers where they are not zero.

    Raises
    ------
    GridError
        Another shape than the grid's, missing values, fractions, or no numbers.
    """
    if mask is None:
        return np.ones(int(np.prod(shape)), dtype=bool)
    return np.asarray(codes(mask, shape, where) != 0)


def coded(
    values: ArrayLike,
    shape: tuple[int, ...],
    where: str,
    *,
    active: Collection[int] | None,
    inactive: Collection[int] | None,
) -> Flags:
    """Return a flat True for every cell whose code is among `active`, or is not among `inactive`.

    Raises
    ------
    GridError
        As `active`, and when both or neither are given, or a code that is named occurs nowhere.
    """
    if (active is None) == (inactive is None):
        raise GridError("name either the active or the inactive codes", where=where)
    named = np.array(sorted(active if active is not None else inactive or ()))
    found = codes(values, shape, where)
    strangers = np.setdiff1d(named, found)
    if len(strangers):
        present = ", ".join(str(c) for c in np.unique(found)[:10])
        raise GridError(
            f"code {strangers[0]} occurs nowhere", where=where, hint=f"codes there are: {present}"
        )
    return np.isin(found, named, invert=active is None)


def codes(mask: ArrayLike, shape: tuple[int, ...], where: str) -> NDArray[np.int64]:
    """Return a flat whole number a cell.

    Raises
    ------
    GridError
        Another shape than the grid's, missing values, fractions, or no numbers.
    """
    if np.ma.is_masked(mask):
        raise GridError("has missing values", where=where, hint="fill them with a code of your choice")
    values = np.asarray(checks.per_cell(mask, shape, where))
    if values.dtype.kind not in "biuf":
        raise GridError(f"is not numeric but {values.dtype}", where=where, hint="give booleans or integers")
    if not np.isfinite(values).all():
        raise GridError(f"{int((~np.isfinite(values)).sum())} values are missing", where=where)
    out = values.astype(np.int64)
    if (out != values).any():
        first = int(np.argmax(out != values))
        raise GridError(f"value {values[first]:g} of cell {first} is a fraction", where=where, hint=FRACTIONS)
    return out
