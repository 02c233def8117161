"""The control of one field: which cells an element changes, and how."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from torch import Tensor

from tradewind.couplers.assimilation.control.change import Change, Scale, refuse_gaps
from tradewind.couplers.assimilation.control.elements import NONE, Clustering, Elements, find_elements
from tradewind.couplers.assimilation.control.prior import PriorError, prior_covariance
from tradewind.couplers.assimilation.control.spread import SpreadOperator, Support
from tradewind.couplers.assimilation.covariance import Covariance, square_root
from tradewind.errors import DataError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.coupling.component import Interval
    from tradewind.couplers.coupling.fields import Fields
    from tradewind.couplers.operators import LinearOperator
    from tradewind.couplers.ranks.layout import Layout

    Array: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = NDArray[np.int64]


class FieldControl:
    """What x makes of one field: ``field_c = change(prior_c, x[label_c])``; other cells keep their prior.

    Constructing one is collective on a distributed layout; all ranks get the same elements.

    Parameters
    ----------
    target
        The ``component.variable`` that x sets: a parameter, or a state variable as a window begins.
    field
        Its prior on this rank's cells, shape ``(*extra, cell)``; without a layout ``extra``.
    layout
        Owner of the cells; None where the field belongs to no place.
    clustering, error, change
        Which cells share an element, how uncertain elements are, and what they do; a factor by default.
        Masked cells belong to none. Per cell and per site, every level has elements of its own; all levels
        of a cluster, a region or the total share one.

    Attributes
    ----------
    labels
        Element of every cell of the grid, int64, shape ``(*extra, n_global)``; -1 for none. Element
        ``e · N + h`` is element h of the N of level e.
    places
        Longitude and latitude of the elements, degrees; NaN for the total and what surrounds the globe.

    Raises
    ------
    DataError
        A prior that the change cannot start from, that is not finite or of the wrong size; regions that do
        not fit; correlations that make no covariance.
    """

    def __init__(
        self,
        target: str,
        field: Tensor,
        layout: Layout | None,
        clustering: Clustering | None = None,
        error: PriorError | None = None,
        change: Change | None = None,
    ) -> None:
        self.target, self.layout = target, layout
        self.targets: tuple[str, ...] = (target,)
        self.change: Change = change or Scale()
        self.clustering = clustering or Clustering()
        self.support = Support(layout, _extra(field, layout))
        whole = self._whole(field)
        elements = self._of_level = self._elements(whole)
        self.levels = self.support.copies if self.clustering.per.by_level else 1
        self.labels = self._labels(elements)
        n = len(elements) * self.levels
        self.prior = torch.full((n,), self.change.neutral, dtype=torch.float64)
        self.error = error or PriorError()
        self.covariance: Covariance = prior_covariance(self.error, elements, self.levels)
        self.places = self._places(elements)
        self.field = field.detach().to(torch.float64).reshape(-1)
        flat = self.labels.reshape(self.support.copies, self.support.n_global).numpy()
        self._spread = SpreadOperator(torch.ones_like(self.field), flat, n, self.support)
        self._changes = self._spread.label >= 0

    # ------------------------------------------------------------------ the contract
    def to_fields(self, x: Tensor) -> Fields:
        """Return ``{target: (..., *extra, cell)}`` for `x` of shape ``(..., n)``."""
        made = self.change.outward(self.field, self._spread(x))
        field = torch.where(self._changes, made, self.field)
        return {self.target: field.reshape((*x.shape[:-1], *self.support.shape))}

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative of `to_fields` at `x`: ``Replicated(n)`` to the cells, flattened."""
        return self._spread.weighted(self.slope(x))

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""
        return square_root(self.covariance)

    def at(self, window: Interval) -> FieldControl:
        """Return itself: every window sees all of x."""
        return self

    # ------------------------------------------------------------------ for outputs
    @cached_property
    def names(self) -> tuple[str, ...]:
        """One for each element, made when they are asked for."""
        names = self._of_level.names
        if self.levels == 1:
            return names
        if self.layout is None and len(self.clustering.names) == self.levels:
            return self.clustering.names
        levels = [", ".join(map(str, index)) for index in np.ndindex(self.support.extra)]
        if self.layout is None:
            return tuple(f"number {level}" for level in levels)
        return tuple(f"level {level}, {name}" for level in levels for name in names)

    @property
    def elements(self) -> Elements:
        """Its elements; those of one level where it has levels."""
        return self._of_level

    @property
    def label(self) -> Tensor:
        """Element of each cell of this rank, -1 for none, shape ``(copies * cell,)``, levels before cells."""
        return self._spread.label

    def slope(self, x: Tensor) -> Tensor:
        """Return the derivative of each cell with respect to its element, at `x`, zero where it has none.

        Shape ``(copies * cell,)``, levels before cells.
        """
        slope = self.change.derivative(self.field, self._spread.forward(x.detach().to(torch.float64)))
        return torch.where(self._changes, slope, torch.zeros_like(slope))

    def sigma(self, x: Tensor, covariance: Tensor) -> Fields:
        """Return one sigma of the field at `x`, linearised: ``|d field/dx| sqrt(S_kk)``, as `to_fields`.

        Parameters
        ----------
        covariance
            S of x, shape ``(n, n)``, or its diagonal, ``(n,)``.
        """
        variance = covariance if covariance.ndim == 1 else covariance.diagonal()
        spread = self.slope(x).abs() * self._spread.forward(variance.sqrt())
        return {self.target: spread.reshape(self.support.shape)}

    def prior_sigma(self) -> Fields:
        """Return one sigma of the prior field, linearised."""
        return self.sigma(self.prior, self.covariance.diagonal())

    @property
    def averaged(self) -> FieldControl:
        """Itself: the same x in every period."""
        return self

    # ------------------------------------------------------------------ its parts
    def _whole(self, field: Tensor) -> Array:
        """Return the checked prior on the whole grid; all ranks see, and refuse, the same."""
        shape = self.support.shape
        sizes = self.support.comm.allgather((tuple(field.shape), shape))
        for rank, (found, expected) in enumerate(sizes):
            if found != expected:
                what = f"prior of shape {found} on {math.prod(expected[-1:])} cells, rank {rank}"
                raise DataError(what, where=self.target)
        whole: Array = self.support.gather(field.detach().to(torch.float64)).numpy()
        return whole

    def _elements(self, whole: Array) -> Elements:
        grid = None if self.layout is None else self.layout.grid
        active = np.ones(whole.shape[1], dtype=bool) if grid is None else grid.mask
        seen = np.where(active, whole, np.nan)
        refuse_gaps(whole, active, self.target)
        able = self.change.check(seen if len(seen) > 1 else seen[0], self.target).reshape(whole.shape)
        weights = whole.sum(axis=0) if self.change.weighs else np.ones(whole.shape[1])
        return find_elements(grid, np.asarray(able.any(axis=0) & active), self.clustering, weights)

    def _labels(self, elements: Elements) -> Tensor:
        steps = len(elements) * np.arange(self.support.copies) * (self.levels > 1)
        labels = np.where(elements.labels >= 0, elements.labels + steps[:, None], NONE)
        return torch.from_numpy(labels).reshape(*self.support.extra, -1)

    def _places(self, elements: Elements) -> tuple[Array, Array]:
        lon, lat = elements.places
        return np.tile(lon, self.levels), np.tile(lat, self.levels)


class ScaledField(FieldControl):
    """Scale factors of a field's cells: ``field_c = prior_c x[label_c]``, with xA = 1.

    Cells of prior zero belong to no element and stay zero. Parameters are those of `FieldControl`.
    """

    def __init__(
        self,
        target: str,
        field: Tensor,
        layout: Layout | None,
        clustering: Clustering | None = None,
        error: PriorError | None = None,
    ) -> None:
        super().__init__(target, field, layout, clustering, error, Scale())


def _extra(field: Tensor, layout: Layout | None) -> tuple[int, ...]:
    if layout is None:
        return tuple(field.shape)
    if not field.ndim:
        raise SpecError("a field has an axis of cells, this has none", where="control")
    return tuple(field.shape[:-1])
