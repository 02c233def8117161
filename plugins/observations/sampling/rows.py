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
        Row of each observation, shape ``(m,)``, or of each of its parts in time, ``(m, p)``; -1: nowhere.
    """

    matrix: sparse.csr_array
    of: Indices

    @property
    def found(self) -> Flags:
        """Which observations see something, shape ``(m,)``."""
        return np.asarray((self.of.reshape(len(self.of), -1) != NOWHERE).any(axis=1))

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
    return Rows(matrix, np.where(np.diff(matrix.indptr)[which] > 0, which, NOWHERE))


def at_level(matrix: sparse.csr_array, level: int, levels: int) -> sparse.csr_array:
    """Return rows that read cells ``(k, cell)`` of one of `levels` levels, ``(k, level * cell)``."""
    pick = sparse.csr_array(([1.0], ([0], [level])), shape=(1, levels))
    return sparse.csr_array(sparse.kron(pick, matrix, format="csr"))
