"""The observations that a rank needs, from the ranks that hold them.

Every rank says in which boxes, as wide as the radius, its points lie; the others send what they hold in these
boxes and the ones beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.ranks.parallel import Communicator
from tradewind.errors import SpecError
from tradewind.plugins.filters.local.neighbours import box_of, key_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]

NARROWEST = 1 / 64
"""Width of a box at least, of the extent of everything: bounds what ranks tell each other."""
ROUND = np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)])


class Rows(NamedTuple):
    """Observations as they travel.

    Attributes
    ----------
    places
        Shape ``(m, 3)``.
    heights
        Vertical coordinate, NaN where there is none, shape ``(m,)``.
    columns
        Departures, as of `kernels.Given`, shape ``(m, k)``.
    """

    places: Array
    heights: Array
    columns: Array


@dataclass(frozen=True)
class Traffic:
    """What this rank has sent to others.

    Attributes
    ----------
    messages
        To how many ranks.
    bytes
        Altogether, without the boxes.
    received
        Observations that this rank works with.
    """

    messages: int = 0
    bytes: int = 0
    received: int = 0

    def told(self) -> Mapping[str, Any]:
        """Return it for `Ensemble.details`."""
        return {"messages": self.messages, "bytes": self.bytes, "observations": self.received}


def gathered(rows: Rows, observations: Observations, points: Array, radius: float) -> tuple[Rows, Traffic]:
    """Return the observations within reach of `points`, shape ``(k, 3)``, by global number; collective.

    Some that are not within reach may be among them.

    Raises
    ------
    SpecError
        Where observations are shared out without their numbers.
    """
    comm = observations.comm
    if comm is None:
        return rows, Traffic(received=len(rows.heights))
    table = _table(rows, observations)
    parts = [np.ascontiguousarray(table[wanted]) for wanted in _wanted(comm, rows.places, points, radius)]
    others = [part for rank, part in enumerate(parts) if rank != comm.rank and len(part)]
    found = np.concatenate(comm.exchange(parts))
    return _rows(found), Traffic(len(others), sum(part.nbytes for part in others), len(found))


def everything(rows: Rows, observations: Observations) -> tuple[Rows, Traffic]:
    """Return the observations of all ranks, by global number; collective."""
    comm = observations.comm
    if comm is None:
        return rows, Traffic(received=len(rows.heights))
    table = _table(rows, observations)
    found = np.concatenate(comm.allgather_array(table))
    others = comm.size - 1 if len(table) else 0
    return _rows(found), Traffic(others, others * table.nbytes, len(found))


def _table(rows: Rows, observations: Observations) -> Array:
    """Return observations as rows of one array, their numbers first."""
    if observations.numbers is None:
        raise SpecError("observations of several ranks have no numbers", hint="give Observations.numbers")
    numbers = observations.numbers.numpy().astype(np.float64)
    return np.column_stack([numbers, rows.places, rows.heights, rows.columns])


def _rows(table: Array) -> Rows:
    """Return what `_table` has packed, by number."""
    found = table[np.argsort(table[:, 0], kind="stable")]
    places, levels, columns = found[:, 1:4], found[:, 4], found[:, 5:]
    return Rows(np.ascontiguousarray(places), np.ascontiguousarray(levels), np.ascontiguousarray(columns))


def _wanted(comm: Communicator, places: Array, points: Array, radius: float) -> list[Index]:
    """Return, for each rank, which of this rank's observations it wants."""
    low, width = _boxes(comm, np.concatenate([places, points]), radius)
    mine = key_of(box_of(places, low, width))
    taken = np.unique(box_of(points, low, width), axis=0)
    out = []
    for boxes in comm.allgather_array(taken):
        around = key_of((boxes[:, None] + ROUND).reshape(-1, 3))
        out.append(np.flatnonzero(np.isin(mine, around)))
    return out


def _boxes(comm: Communicator, places: Array, radius: float) -> tuple[Array, float]:
    """Return the first corner and the width of boxes that all ranks agree on."""
    limits = np.full((1, 6), np.inf)
    if len(places):
        limits[0] = np.concatenate([places.min(axis=0), -places.max(axis=0)])
    lowest = np.concatenate(comm.allgather_array(limits)).min(axis=0)
    if not np.all(np.isfinite(lowest)):
        return np.zeros(3), 1.0
    extent = float((-lowest[3:] - lowest[:3]).max())
    return lowest[:3], max(radius * (1.0 + 1e-9), extent * NARROWEST, 1e-9)
