"""Between the host's cells and a component's: gathered by global number, and the exact adjoint of that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.hosting.failing import CallError, Code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Key
    from tradewind.couplers.coupling.fields import Variable
    from tradewind.couplers.ranks.layout import Layout
    from tradewind.couplers.ranks.parallel import Communicator

    Values: TypeAlias = Mapping[Key, Tensor]
    Order: TypeAlias = NDArray[np.int64]


class Bridge:
    """No cells of the host's own: every rank puts and gets whole fields, which must then be the same.

    Subclasses say how fields travel.
    """

    @property
    def moves(self) -> bool:
        """Whether values of the host stand elsewhere than those of the component, on one rank alone, too."""
        return False

    def columns(self, variable: Variable, own: int | None) -> int | None:
        """Return how many cells of a variable the host has on this rank; `own`: the component here."""
        return own

    def gathered(self, given: Values, comm: Communicator) -> Values:
        """Return what all ranks have put, in the component's own cells; collective.

        Raises
        ------
        CallError
            When ranks have put other fields, or other values where they must be the same.
        """
        return given

    def pick(self, key: Key, value: Tensor) -> Tensor:
        """Return this rank's cells of a component's field, as the host orders them."""
        return value

    def inward(self, key: Key, value: Tensor) -> Tensor:
        """Return a field that is on all ranks' cells, in the component's own cells; collective."""
        return value


class NoBridge(Bridge):
    """Every rank puts and gets whole fields: they must be the same on all."""

    def gathered(self, given: Values, comm: Communicator) -> Values:
        """Return `given`, if it is the same on all ranks."""
        if comm.size > 1:
            _refuse_different(given, comm)
        return given


class Awaited(Bridge):
    """The component will take the host's grid: how many cells there are is not known yet."""

    def columns(self, variable: Variable, own: int | None) -> int | None:
        """Return 0."""
        return 0


class Columns(Bridge):
    """The component has taken the host's own grid: values stay on their ranks, in the order of their numbers.

    Parameters
    ----------
    layout
        Sorted cells of this rank.
    order
        Where the sorted cells stand in the host's own order; None where that is sorted.
    on
        Fields that live on the grid, by role and name.
    """

    def __init__(self, layout: Layout, order: Order | None, on: frozenset[Key]) -> None:
        self.layout, self.on = layout, on
        self._order = None if order is None else torch.from_numpy(order)
        self._back = None if order is None else torch.from_numpy(np.argsort(order))

    @property
    def moves(self) -> bool:
        """Whether the host numbers its cells in another order."""
        return self._order is not None

    def gathered(self, given: Values, comm: Communicator) -> Values:
        """Return `given` in the order of the global numbers."""
        return given if self._order is None else {key: self.inward(key, v) for key, v in given.items()}

    def pick(self, key: Key, value: Tensor) -> Tensor:
        """Return a field in the host's own order."""
        return value if self._back is None or key not in self.on else value[..., self._back]

    def inward(self, key: Key, value: Tensor) -> Tensor:
        """Return a field in the order of the global numbers."""
        return value if self._order is None or key not in self.on else value[..., self._order]


class Cells(Columns):
    """The component has a grid of its own, whole on every rank: cells are brought together, and picked.

    Each cell is that of one rank, so that to bring together and to pick are each other's adjoint.
    """

    def columns(self, variable: Variable, own: int | None) -> int | None:
        """Return how many cells the host has on this rank."""
        there = variable.grid is not None and variable.grid.fingerprint == self.layout.grid.fingerprint
        return self.layout.n_local if there else own

    def gathered(self, given: Values, comm: Communicator) -> Values:
        """Return whole fields from the ranks' cells."""
        _refuse_different({k: v for k, v in given.items() if k not in self.on}, comm, list(given))
        return {key: self.inward(key, value) for key, value in given.items()}

    def pick(self, key: Key, value: Tensor) -> Tensor:
        """Return this rank's cells of a whole field, in the host's own order."""
        return super().pick(key, self.layout.scatter(value) if key in self.on else value)

    def inward(self, key: Key, value: Tensor) -> Tensor:
        """Return a whole field from the ranks' cells; each cell is that of one rank."""
        inner = super().inward(key, value)
        return self.layout.gather(inner) if key in self.on else inner


def refuse_other_names(given: Values, comm: Communicator) -> None:
    """Refuse fields that only some ranks have put; collective.

    Raises
    ------
    CallError
        On all ranks alike.
    """
    _refuse_different({}, comm, list(given))


def _refuse_different(given: Values, comm: Communicator, fields: list[Key] | None = None) -> None:
    """Refuse fields that only some ranks have put, or values that must be the same and are not.

    Raises
    ------
    CallError
        On all ranks alike.
    """
    if comm.size == 1:
        return
    names = sorted(given if fields is None else fields)
    digests = [hashlib.sha256(given[key].contiguous().numpy().tobytes()).digest() for key in sorted(given)]
    every = comm.allgather((names, digests))
    for rank, (theirs, values) in enumerate(every):
        if theirs != every[0][0]:
            name = next(iter(set(map(tuple, theirs)) ^ set(map(tuple, every[0][0]))))[1]
            raise CallError(Code.ORDER, f"ranks 0 and {rank} have not put the same fields", field=name)
        if values != every[0][1]:
            wrong = next(k for k, a, b in zip(sorted(given), values, every[0][1], strict=True) if a != b)
            hint = "set the grid, that each rank may put its own cells"
            what = f"ranks 0 and {rank} have put other values of the whole field"
            raise CallError(Code.DATA, what, field=wrong[1], hint=hint)
