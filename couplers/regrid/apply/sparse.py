"""A sparse matrix between the cells of two layouts, as a linear operator with its exact adjoint."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Self, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.operators import Distributed, LinearOperator, Space
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.apply.advice import reshaping
from tradewind.couplers.regrid.apply.halves import Half, starts_of, transposed
from tradewind.couplers.regrid.weights.triplets import coalesce
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


class SparseOperator(LinearOperator):
    """``y_i = Σ_j A_ij x_j`` from the cells of `source` to the cells of `target`; making one is collective.

    The owner of a target cell owns its row of A: forward fetches the source cells that its rows name, then
    multiplies. The owner of a source cell owns its row of the stored transpose: the adjoint fetches
    cotangents, then multiplies. Sums run in the order of global indices, so results have the same bits
    for any number of ranks.

    Parameters
    ----------
    source, target
        The layouts.
    row, col
        Global indices of target and source cells, shape ``(entries,)``; at least the rows that this rank
        owns, others are left out.
    value
        Entries, shape ``(entries,)``; those of repeated pairs are added up.
    """

    def __init__(self, source: Layout, target: Layout, row: Index, col: Index, value: Array) -> None:
        refuse_bad_layouts(source, target)
        self.source, self.target = source, target
        self.domain, self.range = Distributed(source), Distributed(target)
        row, col, value = _sorted(*_own_rows(target, row, col, value))
        self._forward = Half.of(source, starts_of(row, target), col, value)

    @property
    def where(self) -> str:
        """The operator and both grids, for messages."""
        return f"{self.name} from {self.source.grid!r} to {self.target.grid!r}"

    def advice(self, x: torch.Tensor, space: Space) -> str:
        """Return what to do about a tensor whose shape does not belong to the domain or the range."""
        here, there = (self.source, self.target) if space is self.domain else (self.target, self.source)
        return reshaping(tuple(x.shape), here, there)

    def to(self, device: torch.device | str) -> Self:
        """Return the same operator for fields on `device`; under MPI, remote cells travel through the host.

        On another device than the CPU torch multiplies: results agree up to rounding, and keep their bits
        from run to run only where torch's sparse product does.
        """
        place = torch.device(device)
        moved = copy(self)
        moved.device, moved._forward = place, self._forward.to(place)
        for name in ("_adjoint", "unmapped"):
            moved.__dict__.pop(name, None)
        return moved

    @property
    def entries(self) -> int:
        """Number of entries in this rank's rows."""
        return self._forward.matrix.nnz

    @property
    def weights(self) -> sparse.csr_array:
        """Rows of A that this rank owns, shape ``(target.n_local, source.n_global)``."""
        matrix = self._forward.matrix
        shape = (self.target.n_local, self.source.n_global)
        return sparse.csr_array((matrix.data, self._forward.columns(), matrix.indptr), shape=shape)

    @cached_property
    def unmapped(self) -> torch.Tensor:
        """True for target cells of this rank that no source cell reaches, shape ``(target.n_local,)``."""
        return torch.from_numpy(np.diff(self._forward.matrix.indptr) == 0).to(self.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``A x``, shape ``(*batch, target.n_local)``; rows without entries are 0."""
        self.check(x, self.domain)
        return self._forward(x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``Aᵀ y``, shape ``(*batch, source.n_local)``."""
        self.check(y, self.range)
        return self._adjoint(y)

    @cached_property
    def _adjoint(self) -> Half:
        """The stored transpose, made (collectively) when it is first asked for."""
        return transposed(self._forward, self.target)

    def regrid_field(self, x: torch.Tensor, fill: float = float("nan")) -> torch.Tensor:
        """Return ``A x`` with `fill` in unmapped cells; differentiable, but no longer linear.

        NaN in `x` spreads to the targets that use it and to no others; gradients of filled cells are 0.
        """
        filling = torch.full((), fill, dtype=torch.float64, device=self.device)
        return torch.where(self.unmapped, filling, self(x))

    def field(self, x: torch.Tensor, fill: float = float("nan")) -> torch.Tensor:
        """Return `regrid_field` between fields in the shapes of their grids, ``(*batch, ny, nx)``; serial.

        Raises
        ------
        SpecError
            On several ranks, where no rank holds a grid's shape, and for any other shape.
        """
        here, there = self.source.grid.shape, self.target.grid.shape
        if not self.source.is_serial:
            raise SpecError(
                f"fields of shape (..., {here}) are known in serial only",
                where=self.where,
                hint="give this rank's cells, (..., n_local), to the operator itself",
            )
        if not isinstance(x, torch.Tensor) or x.ndim < len(here) or x.shape[x.ndim - len(here) :] != here:
            found = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
            raise SpecError(f"expected a tensor of shape (..., {here}), got {found}", where=self.where)
        flat = x.reshape(*x.shape[: x.ndim - len(here)], self.source.n_local)
        return self.regrid_field(flat, fill).reshape(*flat.shape[:-1], *there)

    def triplets(self) -> tuple[Index, Index, Array]:
        """Return this rank's entries: global rows, global columns, values; by row, then column."""
        half = self._forward
        return half.rows(self.target), half.columns(), half.matrix.data

    def __repr__(self) -> str:
        return f"{self.name}({self.source.grid!r} -> {self.target.grid!r}, {self.entries} entries)"


def refuse_bad_layouts(source: Layout, target: Layout) -> None:
    """Refuse layouts on different communicators, and targets with a halo.

    Raises
    ------
    SpecError
        Says which.
    """
    if source.comm.size != target.comm.size:
        raise SpecError(
            f"source on {source.comm!r}, target on {target.comm!r}",
            where="Regridder",
            hint="give both layouts the same communicator",
        )
    if target.overlaps:
        raise SpecError(
            "target cells have several owners",
            where="Regridder",
            hint="regrid to the layout without a halo, then redistribute",
        )


def _own_rows(target: Layout, row: Index, col: Index, value: Array) -> tuple[Index, Index, Array]:
    if target.is_serial:
        return row, col, value
    mine = np.zeros(target.n_global, dtype=bool)
    mine[target.owned] = True
    keep = mine[row]
    return row[keep], col[keep], value[keep]


def _sorted(row: Index, col: Index, value: Array) -> tuple[Index, Index, Array]:
    return (row, col, value) if _in_order(row, col) else coalesce(row, col, value)


def _in_order(row: Index, col: Index) -> bool:
    down, right = row[1:] > row[:-1], col[1:] > col[:-1]
    return bool((down | ((row[1:] == row[:-1]) & right)).all())
