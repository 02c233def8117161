"""What a limited second-order regridder is made of: overlaps, displacements and gradients, made or cached."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from zipfile import BadZipFile

import numpy as np

from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid.scheme import Norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.ranks.layout import Layout
    from tradewind.couplers.regrid.weights.overlaps.second_order import Overlaps

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

VERSION = "1"
"""Number of what this code makes; part of the name of a cache entry, raised when it changes."""
NAMES = ("row", "col", "share", "shift", "cell", "of_cell", "here", "there", "slope")


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """At least what one rank needs: the overlaps of its target cells, all of its source cells, its gradients.

    Attributes
    ----------
    row, col, share, shift
        Target cells, source cells, weights of first order ``(n,)``, displacements ``(n, 3)`` of overlaps.
    cell, of_cell
        Source cells, ascending, of all overlaps, and the displacements in them, shapes ``(m,)``, ``(m, 3)``.
    here, there, slope
        The gradient: source cells, those whose means enter, and the vectors ``(k, 3)``.
    """

    row: Index
    col: Index
    share: Array
    shift: Array
    cell: Index
    of_cell: Array
    here: Index
    there: Index
    slope: Array


def reconstruction(source: Layout, target: Layout, norm: Norm, cache: Path | None) -> Reconstruction:
    """Return what this rank needs, from the cache or freshly made; collective."""
    if cache is None:
        return _made(source, target, norm)
    path = cache / f"limited-{_key(source.grid, target.grid, norm)}.npz"
    found = target.comm.bcast(_kept(path) if target.comm.rank == 0 else None)
    if found is not None:
        return Reconstruction(*found)
    made = _made(source, target, norm)
    _keep(path, source, target, made)
    return made


def _made(source: Layout, target: Layout, norm: Norm) -> Reconstruction:
    # numba, behind it, is heavy
    from tradewind.couplers.regrid.weights.overlaps import second_order
    from tradewind.couplers.regrid.weights.overlaps.adjacency import Adjacency

    ours = second_order.by_target(source.grid, target.grid, target.owned)
    whole = len(source.owned) == source.n_global and len(target.owned) == target.n_global
    theirs = ours if whole else second_order.by_source(source.grid, target.grid, source.owned)
    kept, share = _shares(ours, target.grid, norm)
    cells = np.intersect1d(theirs.cells, source.owned)
    slopes = second_order.slopes(Adjacency(source.grid), theirs, cells).triplets(cells)
    order = np.lexsort((theirs.row, theirs.col))
    parts = (kept.row, kept.col, share, kept.shift, theirs.col[order], theirs.shift[order])
    return Reconstruction(*parts, *slopes)


def _shares(found: Overlaps, target: Grid, norm: Norm) -> tuple[Overlaps, Array]:
    """Return the overlaps of covered targets and their weights of first order."""
    from tradewind.couplers.regrid.weights.overlaps.conservative import COVERED

    frac = np.bincount(found.row, weights=found.share(target), minlength=target.size)
    kept = found.of(frac > COVERED)
    share = kept.share(target)
    return kept, share / frac[kept.row] if norm is Norm.FRACAREA else share


def _key(source: Grid, target: Grid, norm: Norm) -> str:
    parts = (source.fingerprint, target.fingerprint, norm, VERSION)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _kept(path: Path) -> tuple[NDArray[Any], ...] | None:
    """Return the arrays of a cache entry, or None where it is missing or, with a notice, damaged."""
    if not path.is_file():
        return None
    try:
        # opened here: of a damaged archive numpy leaves the file open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as ds:
            arrays = tuple(ds[name] for name in NAMES)
            sound = str(ds["digest"]) == _digest(arrays)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        warnings.warn(f"cached weights {path} are rebuilt: {error}", stacklevel=2)
        return None
    if not sound:
        warnings.warn(
            f"cached weights {path} are rebuilt: their content does not match their digest", stacklevel=2
        )
    return arrays if sound else None


def _keep(path: Path, source: Layout, target: Layout, made: Reconstruction) -> None:
    """Gather what all ranks made and write it; collective."""
    mine = _mine(source, made)
    whole = tuple(np.concatenate(target.comm.allgather_array(part)) for part in mine)
    with agree(target.comm, f"writing {path}"):
        if target.comm.rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            # written aside and moved: another run never sees half a file
            aside = path.with_suffix(f".{os.getpid()}.tmp.npz")
            content: dict[str, Any] = dict(zip(NAMES, whole, strict=True))
            np.savez(aside, digest=np.array(_digest(whole)), **content)
            aside.replace(path)


def _mine(source: Layout, made: Reconstruction) -> tuple[NDArray[Any], ...]:
    parts: tuple[NDArray[Any], ...] = astuple(made)
    own = np.zeros(source.n_global, dtype=bool)
    own[source.owned] = True
    kept = own[made.cell]
    return (*parts[:4], made.cell[kept], made.of_cell[kept], *parts[6:])


def _digest(arrays: tuple[NDArray[Any], ...]) -> str:
    out = hashlib.sha256()
    for array in arrays:
        out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()
