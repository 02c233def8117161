"""The cache that spares the making of weights: files named by a hash of what decides on them."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid import backends, mapfile
from tradewind.couplers.regrid.apply.rows import dealt, gathered
from tradewind.couplers.regrid.backends import Recipe
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import DataError, GridError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout

VERSION = "3"
"""Number of the weights that this code makes; part of the cache key, raised when they change."""


def weights(source: Layout, target: Layout, how: Recipe, cache: Path | None) -> Triplets:
    """Return weights with at least this rank's target rows, from the cache or freshly made; collective.

    Rank 0 reads and writes, and each rank gets its own rows only. An entry that is damaged is named in a
    warning and made anew; one that cannot be written, on a full disk or in a folder of someone else, is
    named too, and the run goes on with the weights that it has made.
    """
    if cache is None:
        return backends.make(source, target, how)
    path = cache / f"{key(source, target, how)}.nc"
    kept = None
    with agree(target.comm, f"reading {path}"):
        if target.comm.rank == 0:
            kept = _kept(path)
    if target.comm.bcast(kept is not None):
        return dealt(kept, target)
    made = backends.make(source, target, how)
    _keep(path, gathered(made, target), target, how)
    return made


def key(source: Layout, target: Layout, how: Recipe) -> str:
    """Return the name of a cache entry: a hash of geometry, masks, scheme, backend and versions."""
    maker = (how.backend, backends.version(how.backend), VERSION)
    parts = (source.grid.fingerprint, target.grid.fingerprint, str(how.scheme), *maker)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _kept(path: Path) -> Triplets | None:
    if not path.is_file():
        return None
    try:
        found, attributes = mapfile.read_weights(path)
    except (DataError, GridError, OSError, RuntimeError, ValueError) as error:
        _notice(path, str(error))
        return None
    if attributes.get("tradewind_digest") != digest(found, path.stem):
        _notice(path, "its content does not match its digest")
        return None
    return found


def _notice(path: Path, why: str) -> None:
    warnings.warn(f"cached weights {path} are rebuilt: {why}", stacklevel=2)


def _keep(path: Path, whole: Triplets, target: Layout, how: Recipe) -> None:
    with agree(target.comm, f"writing {path}"):
        if target.comm.rank == 0:
            try:
                _write(path, whole, {**how.attributes(), "tradewind_digest": digest(whole, path.stem)})
            except (OSError, RuntimeError) as error:
                # the netCDF library reports a full disk as a RuntimeError
                warnings.warn(f"weights are not kept in {path}: {error}", stacklevel=2)


def _write(path: Path, whole: Triplets, attributes: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # written aside and moved: another run never sees half a file, and two at once do not meet
    aside = path.with_name(f"{path.stem}.{uuid4().hex}.tmp")
    try:
        mapfile.write_weights(aside, whole, attributes)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def digest(weights: Triplets, name: str) -> str:
    """Return a hash of an entry's content and name, to tell a damaged or renamed file from a sound one."""
    out = hashlib.sha256(f"{name};{weights.n_source}".encode())
    for part in (weights.row, weights.col, weights.value, weights.frac_target):
        out.update(np.ascontiguousarray(part).data)
    return out.hexdigest()
