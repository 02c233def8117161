"""The cache that spares the making of weights: files named by a hash of what decides on them."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tradewind.couplers.ranks.parallel import agree
from tradewind.couplers.regrid import backends, mapfile
from tradewind.couplers.regrid.backends import Recipe
from tradewind.couplers.regrid.weights import Triplets
from tradewind.errors import DataError, GridError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout

VERSION = "2"
"""Number of the weights that this code makes; part of the cache key, raised when they change."""


def weights(source: Layout, target: Layout, how: Recipe, cache: Path | None) -> Triplets:
    """Return weights with at least this rank's target rows, from the cache or freshly made; collective."""
    if cache is None:
        return backends.make(source, target, how)
    path = cache / f"{key(source, target, how)}.nc"
    found = target.comm.bcast(_kept(path) if target.comm.rank == 0 else None)
    if found is not None:
        return found
    made = backends.make(source, target, how)
    _keep(path, source, target, made, how)
    return made


def key(source: Layout, target: Layout, how: Recipe) -> str:
    """Return the name of a cache entry: a hash of geometry, masks, method, norm, backend and version."""
    parts = (source.grid.fingerprint, target.grid.fingerprint, str(how.scheme), how.backend, VERSION)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _kept(path: Path) -> Triplets | None:
    if not path.is_file():
        return None
    try:
        content = mapfile.read_map(path)
    except (DataError, GridError, OSError, RuntimeError, ValueError) as error:
        _notice(path, str(error))
        return None
    if content.attributes.get("tradewind_digest") != digest(content.weights):
        _notice(path, "its content does not match its digest")
        return None
    return content.weights


def _notice(path: Path, why: str) -> None:
    warnings.warn(f"cached weights {path} are rebuilt: {why}", stacklevel=2)


def _keep(path: Path, source: Layout, target: Layout, made: Triplets, how: Recipe) -> None:
    from tradewind.couplers.regrid.regridder import gathered

    whole = gathered(made, target)
    with agree(target.comm, f"writing {path}"):
        if target.comm.rank == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            attributes = {**how.attributes(), "tradewind_digest": digest(whole)}
            # written aside and moved: another run never sees half a file
            aside = path.with_suffix(f".{os.getpid()}.tmp")
            mapfile.write_map(aside, mapfile.WeightMap(source.grid, target.grid, whole, attributes))
            aside.replace(path)


def digest(weights: Triplets) -> str:
    """Return a hash of the entries, to tell a damaged file from a sound one."""
    out = hashlib.sha256()
    for part in (weights.row, weights.col, weights.value, weights.frac_target):
        out.update(np.ascontiguousarray(part).tobytes())
    return out.hexdigest()
