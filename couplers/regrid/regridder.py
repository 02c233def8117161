"""Regridder: a field from one grid to another, as a linear operator with its exact adjoint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, LinearOperator
from tradewind.couplers.ranks.layout import Fetch, Layout, cells_first, cells_last
from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid import backends, mapfile
from tradewind.couplers.regrid.backends import Backend
from tradewind.couplers.regrid.cache import weights
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import GridError, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class _Half:
    """One direction: fetch the inputs that this rank's rows need, then multiply in fixed order."""

    fetch: Fetch
    matrix: sparse.csr_array

    @classmethod
    def of(cls, inputs: Layout, rows: int, row: Index, col: Index, value: Array) -> _Half:
        """Build from entries with local rows and global columns, sorted by row, then column; collective."""
        wanted = inputs.owned if inputs.is_serial else np.unique(col)
        starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))])
        # columns stay in the order of their global indices: it is the order of summation
        matrix = sparse.csr_array((value, np.searchsorted(wanted, col), starts), shape=(rows, len(wanted)))
        return cls(Fetch(inputs, wanted), matrix)

    def __call__(self, values: Array) -> Array:
        """Return the rows, shape ``(rows, k)``, for inputs ``(n_local, k)``."""
        out: Array = self.matrix @ self.fetch.forward(values)
        return out


class Regridder(LinearOperator):
    """``y_i = Σ_j W_ij x_j`` from the cells of `source` to the cells of `target`; make one with `build`.

    The owner of a target cell owns its row of W: forward fetches the source cells that its rows name, then
    multiplies. The owner of a source cell owns its row of the stored transpose: the adjoint fetches
    cotangents, then multiplies. Sums run in the order of global indices, so results have the same bits
    for any number of ranks.

    Attributes
    ----------
    source, target
        The layouts.
    method, norm, backend
        How the weights were made.
    """

    def __init__(self, source: Layout, target: Layout, weights: Triplets, how: backends.Recipe) -> None:
        self.source, self.target, self.how = source, target, how
        self.domain, self.range = Distributed(source), Distributed(target)
        self._local = _own_rows(weights, target)
        _refuse_no_overlap(self._local, source, target)
        row, col, value = self._local.row, self._local.col, self._local.value
        self._forward = _Half.of(source, target.n_local, np.searchsorted(target.owned, row), col, value)
        self._adjoint = _transposed(source, target, self._local)

    @classmethod
    def build(
        cls,
        source: Grid | Layout,
        target: Grid | Layout,
        method: Method | Scheme | str = Method.CONSERVATIVE,
        *,
        norm: Norm | str = Norm.FRACAREA,
        backend: Backend | str = Backend.AUTO,
        cache: str | Path | None = None,
    ) -> Regridder:
        """Make the weights, or take them from the cache, and return the operator; collective.

        Parameters
        ----------
        source, target
            Grids (serial) or layouts on the same communicator.
        method
            A name (``conservative``, ``conservative_2nd``, ``bilinear``, ``patch``, ``nearest_s2d``,
            ``nearest_d2s``), or a `Scheme` that also says what happens at poles and in unmapped cells.
        norm
            For conservative methods: divide by the covered area (``fracarea``: constants stay constant) or
            by the whole target area (``dstarea``: partly covered targets are diluted).
        backend
            ``native``, ``esmpy``, or ``auto``: ESMPy where it is installed.
        cache
            Folder of weight files, made when absent.

        Raises
        ------
        GridError
            Grids that do not overlap, or lack what the method needs.
        SpecError
            Unknown method, norm or backend, or layouts on different communicators.
        """
        source, target = _layout(source), _layout(target)
        how = backends.recipe(Scheme.of(method, norm), backend, target.comm)
        _refuse_bad_layouts(source, target)
        folder = None if cache is None else Path(cache)
        return cls(source, target, weights(source, target, how, folder), how)

    @property
    def method(self) -> Method:
        """Method of regridding."""
        return self.how.scheme.method

    @property
    def norm(self) -> Norm:
        """Normalisation of conservative methods."""
        return self.how.scheme.norm

    @property
    def backend(self) -> Backend:
        """Who made the weights."""
        return self.how.backend

    @property
    def weights(self) -> sparse.csr_array:
        """Rows of W that this rank owns, shape ``(target.n_local, source.n_global)``."""
        row = np.searchsorted(self.target.owned, self._local.row)
        shape = (self.target.n_local, self.source.n_global)
        return sparse.csr_array((self._local.value, (row, self._local.col)), shape=shape)

    @property
    def frac_target(self) -> torch.Tensor:
        """Covered fraction of this rank's target cells, shape ``(target.n_local,)``."""
        return torch.from_numpy(self._local.frac_target[self.target.owned])

    @cached_property
    def unmapped(self) -> torch.Tensor:
        """True for target cells of this rank that no source cell reaches, shape ``(target.n_local,)``."""
        return torch.from_numpy(np.diff(self._forward.matrix.indptr) == 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``W x``, shape ``(*batch, target.n_local)``; unmapped cells are 0 (see `regrid_field`)."""
        self.check(x, self.domain)
        return cells_last(self._forward(cells_first(x, self.source)), x)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``Wᵀ y``, shape ``(*batch, source.n_local)``."""
        self.check(y, self.range)
        return cells_last(self._adjoint(cells_first(y, self.target)), y)

    def regrid_field(self, x: torch.Tensor, fill: float = float("nan")) -> torch.Tensor:
        """Return ``W x`` with `fill` in unmapped cells; differentiable, but no longer linear."""
        filling = torch.full((), fill, dtype=torch.float64)
        return torch.where(self.unmapped, filling, self(x))

    def to_file(self, path: str | Path) -> None:
        """Write an ESMF offline weight file; collective, rank 0 writes."""
        whole = gathered(self._local, self.target)
        with agree(self.target.comm, "writing weights"):
            if self.target.comm.rank == 0:
                content = mapfile.WeightMap(self.source.grid, self.target.grid, whole, self.how.attributes())
                mapfile.write_map(Path(path), content)

    @classmethod
    def from_file(
        cls, path: str | Path, source: Grid | Layout | None = None, target: Grid | Layout | None = None
    ) -> Regridder:
        """Read a weight file of this project, ESMF, or any tool that writes the same layout; collective.

        Parameters
        ----------
        source, target
            Where the fields live; the grids in the file, in serial, when absent.

        Raises
        ------
        DataError
            When the file is damaged or no weight file.
        GridError
            When `source` or `target` is not the grid in the file.
        """
        content = mapfile.read_map(Path(path))
        source = _layout(content.source if source is None else source)
        target = _layout(content.target if target is None else target)
        with agree(target.comm, "reading weights"):
            mapfile.refuse_other_grid(source.grid, content.source, f"{path}, source")
            mapfile.refuse_other_grid(target.grid, content.target, f"{path}, target")
        return cls(source, target, content.weights, backends.recipe_of_file(content.attributes))

    def __repr__(self) -> str:
        norm = f", {self.norm}" if self.method.is_conservative else ""
        how = f"{self.method}{norm}, backend {self.backend}"
        return (
            f"Regridder({self.source.grid!r} -> {self.target.grid!r}, {how}, {len(self._local.row)} weights)"
        )


def _layout(where: Grid | Layout) -> Layout:
    return where if isinstance(where, Layout) else Layout(where)


def _refuse_bad_layouts(source: Layout, target: Layout) -> None:
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


def _own_rows(weights: Triplets, target: Layout) -> Triplets:
    if target.is_serial:
        return weights
    mine = np.zeros(target.n_global, dtype=bool)
    mine[target.owned] = True
    keep = mine[weights.row]
    return Triplets(
        weights.row[keep], weights.col[keep], weights.value[keep], weights.frac_target, weights.n_source
    )


def _refuse_no_overlap(local: Triplets, source: Layout, target: Layout) -> None:
    if sum(target.comm.allgather(len(local.row))) == 0:
        raise GridError(
            f"{source.grid!r} and {target.grid!r} do not overlap: no target cell receives anything",
            where="Regridder",
            hint="check longitudes, latitudes and masks",
        )


def _transposed(source: Layout, target: Layout, local: Triplets) -> _Half:
    """Send every entry to the owner of its column, and store the transpose's rows there."""
    owner, place = source.server
    to = owner[local.col]
    index = np.stack([local.row, place[local.col]], axis=1)
    parts = [np.flatnonzero(to == r) for r in range(source.comm.size)]
    arrived = np.concatenate(source.comm.exchange([index[p] for p in parts]))
    value = np.concatenate(source.comm.exchange([local.value[p] for p in parts]))
    order = np.lexsort((arrived[:, 0], arrived[:, 1]))
    row, col = arrived[order, 1], arrived[order, 0]
    return _Half.of(target, source.n_local, row, col, value[order])


def gathered(local: Triplets, target: Layout) -> Triplets:
    """Return all ranks' rows, sorted by row, then column, on every rank; collective."""
    gather = target.comm.allgather_array
    row, col, value = (np.concatenate(gather(v)) for v in (local.row, local.col, local.value))
    frac = target.gather(torch.from_numpy(local.frac_target[target.owned])).numpy()
    order = np.lexsort((col, row))
    return Triplets(row[order], col[order], value[order], frac, local.n_source)
