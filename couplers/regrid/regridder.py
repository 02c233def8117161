"""Regridder: a field from one grid to another, as a linear operator with its exact adjoint."""

from __future__ import annotations

from pathlib import Path

import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid import backends, mapfile
from tradewind.couplers.regrid.apply.rows import dealt, gathered
from tradewind.couplers.regrid.apply.sparse import SparseOperator, refuse_bad_layouts
from tradewind.couplers.regrid.backends import Backend
from tradewind.couplers.regrid.cache import weights
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import GridError


class Regridder(SparseOperator):
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

    Notes
    -----
    Fields carry no grid: where two grids have as many cells, a field on the wrong one cannot be told from
    one on the right one. Swapped grids of one size are found where operators are composed and where weights
    are read from a file; for other sizes, wherever a field is given.

    NaN in a field spreads to the targets that use it, and to no others.
    """

    def __init__(self, source: Layout, target: Layout, weights: Triplets, how: backends.Recipe) -> None:
        super().__init__(source, target, weights.row, weights.col, weights.value)
        self.how, self._frac_target = how, weights.frac_target
        _refuse_no_overlap(self)

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
        refuse_bad_layouts(source, target)
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
    def frac_target(self) -> torch.Tensor:
        """Covered fraction of this rank's target cells, shape ``(target.n_local,)``."""
        return torch.from_numpy(self._frac_target[self.target.owned]).to(self.device)

    def to_file(self, path: str | Path) -> None:
        """Write an ESMF offline weight file; collective, rank 0 writes."""
        local = Triplets(*self.triplets(), self._frac_target, self.source.n_global)
        whole = gathered(local, self.target)
        with agree(self.target.comm, "writing weights"):
            if self.target.comm.rank == 0:
                content = mapfile.WeightMap(self.source.grid, self.target.grid, whole, self.how.attributes())
                mapfile.write_map(Path(path), content)

    @classmethod
    def from_file(
        cls, path: str | Path, source: Grid | Layout | None = None, target: Grid | Layout | None = None
    ) -> Regridder:
        """Read a weight file of this project, ESMF, or any tool that writes the same layout; collective.

        Rank 0 reads, and each rank gets its own rows.

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
        if source is None or target is None:
            found = mapfile.read_map(Path(path))
            source, target = source or found.source, target or found.target
        source, target = _layout(source), _layout(target)
        refuse_bad_layouts(source, target)
        content = None
        with agree(target.comm, "reading weights"):
            if target.comm.rank == 0:
                content = _of_these_grids(Path(path), source.grid, target.grid)
        attributes = target.comm.bcast(content.attributes if content else {})
        mine = dealt(content.weights if content else None, target)
        return cls(source, target, mine, backends.recipe_of_file(attributes))

    def __repr__(self) -> str:
        norm = f", {self.norm}" if self.method.is_conservative else ""
        how = f"{self.method}{norm}, backend {self.backend}"
        return f"Regridder({self.source.grid!r} -> {self.target.grid!r}, {how}, {self.entries} weights)"


def _layout(where: Grid | Layout) -> Layout:
    return where if isinstance(where, Layout) else Layout(where)


def _of_these_grids(path: Path, source: Grid, target: Grid) -> mapfile.WeightMap:
    content = mapfile.read_map(path)
    mapfile.refuse_other_grid(source, content.source, f"{path}, source")
    mapfile.refuse_other_grid(target, content.target, f"{path}, target")
    return content


def _refuse_no_overlap(op: SparseOperator) -> None:
    if sum(op.target.comm.allgather(op.entries)) == 0:
        raise GridError(
            f"{op.source.grid!r} and {op.target.grid!r} do not overlap: no target cell receives anything",
            where="Regridder",
            hint="check longitudes, latitudes and masks",
        )
