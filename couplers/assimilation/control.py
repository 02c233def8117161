"""Controls: what an inversion may change, and how well that is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tradewind.couplers.assimilation.covariance import Covariance, DenseCovariance, DiagonalCovariance
from tradewind.couplers.grids import sphere
from tradewind.couplers.operators import (
    DiagonalOperator,
    Distributed,
    LinearOperator,
    MatrixOperator,
    Replicated,
)
from tradewind.errors import ConfigError, DataError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tradewind.couplers.coupling.fields import Fields
    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout

    Array: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = NDArray[np.int64]

EARTH_RADIUS_KM = 6371.0
NONE = -1
"""Label of a cell that belongs to no element."""
EDGE = 1e-9
"""Fraction of a tile by which a centre may miss its lower edge through rounding."""


class Per(StrEnum):
    """What one element of the control scales."""

    CELL = "cell"
    CLUSTER = "cluster"
    REGION = "region"
    TOTAL = "total"


@dataclass(frozen=True)
class Clustering:
    """How the cells that emit are joined to elements.

    Attributes
    ----------
    tile
        For clusters: side in degrees of square tiles, whose edges are multiples of it from 90 S and 0 E.
        All emitting cells whose centre lies in one tile are one element, ordered from south to north,
        then eastwards from Greenwich.
    regions
        For regions: an integer for every cell of the grid, in any shape of its size; negative where a
        cell belongs to none. Elements are ordered by it.

    Raises
    ------
    ConfigError
        A tile that is not in (0, 180], or regions that are wanted and not given.
    """

    per: Per = Per.CLUSTER
    tile: float = 2.0
    regions: ArrayLike | None = None

    def __post_init__(self) -> None:
        if not 0 < self.tile <= 180:
            raise ConfigError(f"tile is {self.tile} degrees", where="control", hint="between 0 and 180")
        if self.per is Per.REGION and self.regions is None:
            raise ConfigError("no regions are given", where="control", hint="give a label for every cell")


@dataclass(frozen=True)
class PriorError:
    """How far the prior may be off.

    Attributes
    ----------
    relative
        Standard deviation of every element, as a fraction of the prior.
    correlation_km
        Length L of the exponential correlation of elements i and j,
        ``Sa_ij = sigma_i sigma_j exp(-d_ij / L)``, with d the great-circle distance between their
        emission-weighted centres; None for independent elements.

    Raises
    ------
    ConfigError
        When either is not positive and finite.
    """

    relative: float = 0.5
    correlation_km: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("error", self.relative), ("correlation length", self.correlation_km)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"the prior's {name} is {value}", where="control", hint="it is positive")


class ScaledField:
    """Scale factors of a field's cells: ``field_c = prior_c x[label_c]``, with xA = 1.

    Constructing one is collective on a distributed layout; all ranks get the same elements.

    Parameters
    ----------
    target
        The ``component.variable`` that x sets.
    field
        Its prior on this rank's cells, shape ``(cell,)``, not negative. Cells of prior zero belong to no
        element and stay zero.
    layout
        Owner of the cells.
    clustering, error
        Which cells share a factor, and how uncertain the factors are.

    Attributes
    ----------
    labels
        Element of every cell of the grid, int64, shape ``(n_global,)``; -1 for none.
    names
        One for each element.

    Raises
    ------
    DataError
        A prior that is negative, not finite, of the wrong size, or zero everywhere; regions of the wrong
        size or with fractions, or that hold no emission.
    """

    def __init__(
        self,
        target: str,
        field: Tensor,
        layout: Layout,
        clustering: Clustering | None = None,
        error: PriorError | None = None,
    ) -> None:
        self.target, self.layout = target, layout
        whole = _whole_field(field, layout, target)
        keys, names = _keys(layout.grid, whole, clustering or Clustering())
        found, labels = np.unique(keys[keys >= 0], return_inverse=True)
        self.labels = torch.full((layout.n_global,), NONE)
        self.labels[torch.from_numpy(keys >= 0)] = torch.from_numpy(labels)
        self.names = tuple(names[int(key)] for key in found)
        self.prior = torch.ones(len(found), dtype=torch.float64)
        self.covariance = self._covariance(whole, error or PriorError())
        self._scale = ScaleOperator(field.to(torch.float64), self.labels.numpy(), len(found), layout)

    def to_fields(self, x: Tensor) -> Fields:
        """Return ``{target: (..., cell)}`` for scale factors `x` of shape ``(..., n)``."""
        return {self.target: self._scale(x)}

    def linearize(self, x: Tensor) -> LinearOperator:
        """Return the derivative of `to_fields`, the same for every x: ``Replicated(n)`` to the cells."""
        return self._scale

    def sqrt_covariance(self) -> LinearOperator:
        """Return L with ``L Lᵀ = Sa``, on ``Replicated(n)``."""
        if isinstance(self.covariance, DiagonalCovariance):
            return DiagonalOperator(self.covariance.variance.sqrt())
        columns: Tensor = self.covariance.sqrt(torch.eye(len(self.prior), dtype=torch.float64))
        return MatrixOperator(columns.T.contiguous())

    def _covariance(self, whole: Array, error: PriorError) -> Covariance:
        n, variance = len(self.prior), error.relative**2
        if error.correlation_km is None:
            return DiagonalCovariance(torch.full((n,), variance, dtype=torch.float64))
        centres = self._centres(whole)
        chord = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
        distance = 2.0 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2.0, 1.0))
        return DenseCovariance(torch.from_numpy(variance * np.exp(-distance / error.correlation_km)))

    def _centres(self, whole: Array) -> Array:
        """Return the emission-weighted centre of every element as unit vectors, shape ``(n, 3)``."""
        labels, grid = self.labels.numpy(), self.layout.grid
        largest = np.zeros(len(self.prior) + 1)  # label -1 is the last
        np.maximum.at(largest, labels, whole)
        weights = np.divide(whole, largest[labels], out=np.zeros_like(whole), where=whole > 0)
        mean = _sum_matrix(labels, len(self.prior)) @ (
            weights[:, None] * sphere.unit_vectors(grid.lon, grid.lat)
        )
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        if (length < EDGE).any():
            name = self.names[int(np.argmin(length))]
            hint = "leave out its correlation length, or cut it into smaller elements"
            raise DataError(f"{name} surrounds the globe and has no centre", where="control", hint=hint)
        centres: Array = mean / length
        return centres


class ScaleOperator(LinearOperator):
    """``(D x)_c = prior_c x[label_c]``, zero where a cell has no label; ``Replicated(n)`` to cells.

    The adjoint ``(Dᵀ y)_k = Σ prior_c y_c`` over the cells of k adds in the order of global cell numbers
    on every rank, so its bits depend neither on the number of ranks nor on who owns which cells.

    Parameters
    ----------
    prior
        On this rank's cells, shape ``(cell,)``.
    labels
        Of every cell of the grid, shape ``(n_global,)``.
    n
        Number of elements.
    layout
        Owner of the cells; where cells have several owners, each owner's cotangent counts.
    """

    def __init__(self, prior: Tensor, labels: Labels, n: int, layout: Layout) -> None:
        self.prior, self.layout = prior, layout
        self.domain, self.range = Replicated(n), Distributed(layout)
        self._label = torch.from_numpy(labels[layout.owned])
        cells = np.concatenate(layout.comm.allgather_array(layout.owned))
        self._order = np.argsort(cells, kind="stable")
        self._sums = _sum_matrix(labels[cells[self._order]], n)

    def forward(self, x: Tensor) -> Tensor:
        """Return the field, shape ``(..., cell)``."""
        self.check(x, self.domain)
        # label -1 picks the zero behind the last element
        padded = torch.cat([x, x.new_zeros(*x.shape[:-1], 1)], dim=-1)
        return self.prior * padded[..., self._label]

    def adjoint(self, y: Tensor) -> Tensor:
        """Return the sums over elements, shape ``(..., n)``, on all ranks."""
        self.check(y, self.range)
        local = (self.prior * y.detach()).reshape(-1, y.shape[-1]) if y.numel() else y.new_zeros(_flat(y))
        parts = self.layout.comm.allgather_array(np.ascontiguousarray(local.numpy().T))
        total = self._sums @ np.concatenate(parts)[self._order]
        return torch.from_numpy(np.ascontiguousarray(total.T)).reshape(*y.shape[:-1], self.domain.size)


def _flat(y: Tensor) -> tuple[int, int]:
    return y.shape[:-1].numel(), y.shape[-1]


def _sum_matrix(labels: Labels, n: int) -> sparse.csr_array:
    """Return the matrix ``(n, cells)`` of ones that adds up the cells of each label, in their order."""
    inside = np.flatnonzero(labels >= 0)
    by_label = inside[np.argsort(labels[inside], kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(labels[inside], minlength=n))])
    return sparse.csr_array((np.ones(len(by_label)), by_label, starts), shape=(n, len(labels)))


def _whole_field(field: Tensor, layout: Layout, target: str) -> Array:
    """Return the checked prior on the whole grid; all ranks see, and refuse, the same."""
    sizes = layout.comm.allgather((tuple(field.shape), layout.n_local))
    for rank, (shape, cells) in enumerate(sizes):
        if shape != (cells,):
            raise DataError(f"prior of shape {shape} on {cells} cells, rank {rank}", where=target)
    whole: Array = layout.gather(field.detach().to(torch.float64)).numpy()
    for what, bad in (("not finite", ~np.isfinite(whole)), ("negative", whole < 0)):
        if bad.any():
            cell = int(np.argmax(bad))
            hint = "fill gaps, and estimate sinks as a field of their own"
            raise DataError(f"the prior is {what} ({whole[cell]}) in cell {cell}", where=target, hint=hint)
    if not whole.any():
        raise DataError("the prior is zero everywhere, so there is nothing to scale", where=target)
    return whole


def _keys(grid: Grid, whole: Array, clustering: Clustering) -> tuple[Labels, dict[int, str]]:
    """Return a sortable key for every cell (negative: no element), and the name of each key."""
    emits = whole > 0
    if clustering.per is Per.CELL:
        keys, names = np.arange(grid.size), {c: _place(grid.lat[c], grid.lon[c]) for c in range(grid.size)}
    elif clustering.per is Per.CLUSTER:
        keys, names = _tiles(grid, clustering.tile)
    elif clustering.per is Per.REGION:
        keys, names = _regions(grid, clustering.regions)
    else:
        keys, names = np.zeros(grid.size, dtype=np.int64), {0: "total"}
    keys = np.where(emits, keys, NONE)
    if not (keys >= 0).any():
        raise DataError("no region holds any emission", where="control", hint="check the labels")
    return keys, names


def _tiles(grid: Grid, tile: float) -> tuple[Labels, dict[int, str]]:
    columns = int(np.ceil(360.0 / tile - EDGE))
    row = np.floor((grid.lat + 90.0) / tile + EDGE).astype(np.int64)
    column = np.floor((grid.lon % 360.0) / tile + EDGE).astype(np.int64) % columns
    keys = row * columns + column
    corners = ((int(k), divmod(int(k), columns)) for k in np.unique(keys))
    return keys, {k: "tile " + _place(r * tile - 90.0, c * tile) for k, (r, c) in corners}


def _regions(grid: Grid, regions: ArrayLike | None) -> tuple[Labels, dict[int, str]]:
    labels = np.asarray(regions).reshape(-1)
    if labels.size != grid.size:
        raise DataError(f"{labels.size} labels for {grid.size} cells", where="control, regions")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"labels are {labels.dtype}", where="control, regions", hint="give integers")
    keys = labels.astype(np.int64)
    return keys, {int(k): f"region {k}" for k in np.unique(keys)}


def _place(lat: float, lon: float) -> str:
    east = (lon + 180.0) % 360.0 - 180.0
    return f"{abs(lat):g}{'S' if lat < 0 else 'N'} {abs(east):g}{'W' if east < 0 else 'E'}"
