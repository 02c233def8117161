"""Rows of H, each kept once, and which of them an observation has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Indices: TypeAlias = NDArray[np.int64]

NOWHERE = -1


@dataclass(frozen=True)
class Rows:
    """What observations see of one field at one time.

    Attributes
    ----------
    matrix
        Shape ``(k, size)``, size that of the whole field with its extra axes, flattened.
    of
        Row of each part in time of each observation, shape ``(m, p)``, or ``(m, 1)`` where all of its
        parts see the same; -1: nowhere.
    """

    matrix: sparse.csr_array
    of: Indices

    @property
    def found(self) -> Flags:
        """Which observations see something, shape ``(m,)``."""
        return np.asarray((self.of != NOWHERE).any(axis=1))

    def take(self, which: Flags) -> Rows:
        """Return the rows of some observations."""
        return Rows(self.matrix, self.of[which])


def distinct(places: Array) -> tuple[Array, Indices]:
    """Return the different rows of `places` ``(m, k)``, in order, and which of them each one is."""
    if not len(places):
        return places, np.zeros(0, dtype=np.int64)
    # whole numbers by column: sorting rows is many times slower
    code = np.zeros(len(places), dtype=np.int64)
    for column in places.T:
        values, which = np.unique(column, return_inverse=True)
        code = np.unique(code * len(values) + which.reshape(-1), return_inverse=True)[1].reshape(-1)
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return places[first], which.reshape(-1).astype(np.int64)


def by_place(sample: Callable[..., sparse.csr_array], *places: Array) -> Rows:
    """Return the rows that `sample` makes of the different places, those that see nothing left out.

    Parameters
    ----------
    places
        What it is called with, arrays of shape ``(m,)``.
    """
    found, which = distinct(np.stack(places, axis=-1))
    matrix = sample(*found.T)
    return Rows(matrix, np.where(np.diff(matrix.indptr)[which] > 0, which, NOWHERE)[:, None])


def at_level(rows: Rows, level: int | None, extra: tuple[int, ...]) -> Rows:
    """Return rows that read one level of a field of axes `extra` before its cells; None: it has none."""
    if level is None:
        return rows
    pick = np.zeros((1, *extra))
    pick[0, level] = 1.0
    return Rows(sparse.csr_array(sparse.kron(pick, rows.matrix, format="csr")), rows.of)


def weighted_levels(matrix: sparse.csr_array, weights: Array) -> sparse.csr_array:
    """Return rows that weigh the levels of the cells they read: ``(k, level * cell)``.

    Parameters
    ----------
    matrix
        Weights of cells, shape ``(k, cell)``.
    weights
        Of levels, a set for each row, shape ``(k, level)``.
    """
    by_level = [sparse.diags_array(column) @ matrix for column in weights.T]
    found = sparse.csr_array(sparse.hstack(by_level, format="csr"))
    found.eliminate_zeros()
    return found
