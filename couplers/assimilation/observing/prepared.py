"""Observations rewritten on their way into a window: fewer, averaged, with other errors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.assimilation.contracts import (
    Looks,
    ObservationOperator,
    Observations,
    ObservationsByWindow,
)
from tradewind.couplers.assimilation.looks import LinearLook, Look
from tradewind.couplers.assimilation.sampling import SamplingOperator
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import LinearOperator, Replicated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices: TypeAlias = NDArray[np.int64]
    Made = TypeVar("Made")


@dataclass(frozen=True)
class Remade:
    """Observations, and how they come from those that went in.

    Attributes
    ----------
    observations
        What came out, p of them.
    matrix
        S, shape ``(p, m)``: y' = S y, H' = S H; None: the identity.
    """

    observations: Observations
    matrix: sparse.csr_array | None = None


class Preparation(Protocol):
    """One thing that is done to the observations of each window."""

    def __call__(self, observations: Observations, window: Interval) -> Remade:
        """Return what is made of them."""

    def note(self, before: int, after: int) -> str:
        """Return what a user should know, of how many went in and came out; empty: nothing."""


class PreparedOperator:
    """An observation operator whose observations are prepared, each of which is S times the operator's.

    Looks and places that repeat from window to window are rewritten once.

    Parameters
    ----------
    operator
        Any observation operator.
    preparations
        What is done, in order.
    """

    def __init__(self, operator: ObservationOperator, preparations: Sequence[Preparation]) -> None:
        self.operator, self.preparations = operator, tuple(preparations)
        self.observes = operator.observes
        self._remade: dict[Interval, Remade] = {}
        self._looks: dict[Interval, Looks] = {}
        self._made: dict[Hashable, tuple[object, Any]] = {}
        self._counts = np.zeros((len(self.preparations), 2), dtype=np.int64)

    @property
    def units(self) -> str:
        """Units of the observations; empty where the operator does not say."""
        return str(getattr(self.operator, "units", ""))

    @property
    def notes(self) -> list[str]:
        """What the operator has to say, and how many observations were left."""
        counts = zip(self.preparations, self._counts.tolist(), strict=True)
        own = (step.note(before, after) for step, (before, after) in counts)
        return [*getattr(self.operator, "notes", ()), *(note for note in own if note)]

    def windows(self, windows: Sequence[Interval]) -> ObservationsByWindow:
        """Return the observations of each window, prepared."""
        if not all(w in self._remade for w in windows):
            self._counts[:] = 0
            for window, observations in self.operator.windows(windows).items():
                self._remade[window] = self._prepared(observations, window)
        return {w: self._remade[w].observations for w in windows}

    def looks(self, window: Interval) -> Looks:
        """Return S times the operator's looks."""
        if window not in self._looks:
            matrix, looks = self._matrix(window), self.operator.looks(window)
            self._looks[window] = {at: self._reduced(look, matrix) for at, look in looks.items()}
        return self._looks[window]

    def offset(self, window: Interval) -> Tensor:
        """Return S times the operator's offset."""
        matrix, offset = self._matrix(window), self.operator.offset(window)
        return offset if matrix is None else torch.from_numpy(matrix @ offset.numpy())

    def _matrix(self, window: Interval) -> sparse.csr_array | None:
        if window not in self._remade:
            self.windows([window])
        return self._remade[window].matrix

    def _prepared(self, observations: Observations, window: Interval) -> Remade:
        found = Remade(observations)
        for number, prepare in enumerate(self.preparations):
            step = prepare(found.observations, window)
            self._counts[number] += len(found.observations), len(step.observations)
            found = Remade(step.observations, _product(step.matrix, found.matrix))
        return self._shared(observations, found)

    def _shared(self, before: Observations, found: Remade) -> Remade:
        """Return the same with the matrix, and the places, of an earlier window that had the same."""
        if found.matrix is None:
            return found
        parts = found.matrix.indptr, found.matrix.indices, found.matrix.data
        matrix = self._once(("matrix", *(p.tobytes() for p in parts)), None, lambda: found.matrix)
        shared = dict(found.observations.coordinates)
        for name in shared.keys() & before.coordinates.keys():
            own = before.coordinates[name]
            shared[name] = self._once((name, id(own), id(matrix)), own, partial(shared.get, name))
        return Remade(replace(found.observations, coordinates=shared), matrix)

    def _reduced(self, look: Look, matrix: sparse.csr_array | None) -> Look:
        if matrix is None:
            return look
        return self._once(("look", id(look), id(matrix)), (look, matrix), lambda: reduced(look, matrix))

    def _once(self, key: Hashable, given: object, make: Callable[[], Made]) -> Made:
        """Return what was made of the same before; `given` is kept, so that its id stays its own."""
        if key not in self._made:
            self._made[key] = (given, make())
        made: Made = self._made[key][1]
        return made


class ReducedLook:
    """S times a look.

    Parameters
    ----------
    look
        From a field to m observations.
    matrix
        S, shape ``(p, m)``.
    """

    def __init__(self, look: Look, matrix: sparse.csr_array) -> None:
        self.look, self.reduction = look, RowsOperator(matrix)

    def __call__(self, field: Tensor) -> Tensor:
        """Return its part of y, shape ``(*batch, p)``."""
        return self.reduction.forward(self.look(field))

    def linearize(self, field: Tensor) -> LinearOperator:
        """Return S times the derivative at `field`."""
        return self.reduction @ self.look.linearize(field)


class RowsOperator(LinearOperator):
    """``y' = S y`` with a sparse matrix, between vectors that all ranks hold.

    Parameters
    ----------
    matrix
        S, shape ``(p, m)``.
    """

    def __init__(self, matrix: sparse.csr_array) -> None:
        self.matrix, self.domain, self.range = (
            matrix,
            Replicated(matrix.shape[1]),
            Replicated(matrix.shape[0]),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return ``S x``, shape ``(..., p)``."""
        return _rows(self.matrix, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Return ``Sᵀ y``, shape ``(..., m)``."""
        return _rows(self.matrix.T.tocsr(), y)


def reduced(look: Look, matrix: sparse.csr_array) -> Look:
    """Return S times a look; of rows of a matrix, as rows of a matrix."""
    operator = look.operator if isinstance(look, LinearLook) else None
    if isinstance(operator, SamplingOperator):
        rows = sparse.csr_array(matrix @ operator.rows)
        return LinearLook(SamplingOperator(rows, operator.layout, operator.extra))
    return ReducedLook(look, matrix)


def selection(which: Indices, m: int) -> sparse.csr_array:
    """Return the matrix that takes `which` of m, in that order."""
    entries = np.ones(len(which)), (np.arange(len(which)), which)
    return sparse.csr_array(entries, shape=(len(which), m))


def _rows(matrix: sparse.csr_array, x: Tensor) -> Tensor:
    columns = x.detach().reshape(x.shape[:-1].numel(), x.shape[-1]).T.numpy()
    return torch.from_numpy(np.ascontiguousarray((matrix @ columns).T)).reshape(
        *x.shape[:-1], matrix.shape[0]
    )


def _product(later: sparse.csr_array | None, earlier: sparse.csr_array | None) -> sparse.csr_array | None:
    if later is None or earlier is None:
        return earlier if later is None else later
    return sparse.csr_array(later @ earlier)
