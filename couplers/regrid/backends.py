"""Who makes the weights (the native generators or ESMPy), and the cache that spares the making."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.couplers.regrid import mapfile
from tradewind.couplers.regrid.weights import Method, Norm, Triplets, generate
from tradewind.errors import DataError, GridError, SpecError

if TYPE_CHECKING:
    from tradewind.couplers.ranks.layout import Layout

VERSION = "1"
"""Number of the weights that this code makes; part of the cache key, raised when they change."""


class Backend(StrEnum):
    """Makers of weights."""

    AUTO = "auto"
    NATIVE = "native"
    ESMPY = "esmpy"
    FILE = "file"


Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True)
class Recipe:
    """How weights are made."""

    method: Method
    norm: Norm
    backend: Backend

    def attributes(self) -> dict[str, str]:
        """Return global attributes for a weight file, in ESMF's words and ours."""
        return {
            "normalization": {Norm.DSTAREA: "destarea", Norm.FRACAREA: "fracarea"}[self.norm],
            "map_method": "Conservative remapping" if self.method.is_conservative else "Bilinear remapping",
            "tradewind_method": self.method.value,
            "tradewind_norm": self.norm.value,
            "tradewind_backend": self.backend.value,
        }


def recipe(method: Method | str, norm: Norm | str, backend: Backend | str, comm: Communicator) -> Recipe:
    """Return the recipe by names; ``auto`` becomes the backend that rank 0 finds.

    Raises
    ------
    SpecError
        An unknown name, or ESMPy asked for where it is not installed.
    """
    chosen = Recipe(_named(Method, method), _named(Norm, norm), _named(Backend, backend))
    available = comm.bcast(find_spec("esmpy") is not None)
    if chosen.backend is Backend.AUTO:
        return Recipe(chosen.method, chosen.norm, Backend.ESMPY if available else Backend.NATIVE)
    if chosen.backend is Backend.ESMPY and not available:
        raise SpecError(
            "esmpy is not installed",
            where='Regridder, backend="esmpy"',
            hint='conda-forge has it (it is not on PyPI); or use backend="native"',
        )
    return chosen


def _named(kind: type[Choice], name: Choice | str) -> Choice:
    known = [k.value for k in kind if k.value != Backend.FILE.value]
    if name not in known:
        raise SpecError(
            f"no {kind.__name__.lower()} {name!r}", where="Regridder", hint=f"one of {', '.join(known)}"
        )
    return kind(name)


def recipe_of_file(attributes: Mapping[str, str]) -> Recipe:
    """Return the recipe that a weight file names; the backend is the file itself."""
    method = attributes.get("tradewind_method") or _esmf_method(attributes)
    norm = Norm.FRACAREA if "frac" in attributes.get("normalization", "").lower() else Norm.DSTAREA
    return Recipe(Method(method), norm, Backend.FILE)


def _esmf_method(attributes: Mapping[str, str]) -> Method:
    name = attributes.get("ESMF_regrid_method", attributes.get("map_method", "")).lower()
    words = {
        "second-order": Method.CONSERVATIVE_2ND,
        "conserv": Method.CONSERVATIVE,
        "patch": Method.PATCH,
        "nearest source": Method.NEAREST_S2D,
        "nearest dest": Method.NEAREST_D2S,
    }
    return next((method for word, method in words.items() if word in name), Method.BILINEAR)


def weights(source: Layout, target: Layout, how: Recipe, cache: Path | None) -> Triplets:
    """Return weights with at least this rank's target rows, from the cache or freshly made; collective."""
    if cache is None:
        return _make(source, target, how)
    path = cache / f"{key(source, target, how)}.nc"
    found = target.comm.bcast(_kept(path) if target.comm.rank == 0 else None)
    if found is not None:
        return found
    made = _make(source, target, how)
    _keep(path, source, target, made, how)
    return made


def key(source: Layout, target: Layout, how: Recipe) -> str:
    """Return the name of a cache entry: a hash of geometry, masks, method, norm, backend and version."""
    parts = (source.grid.fingerprint, target.grid.fingerprint, how.method, how.norm, how.backend, VERSION)
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def _make(source: Layout, target: Layout, how: Recipe) -> Triplets:
    if how.backend is Backend.ESMPY:
        return _by_esmpy(source, target, how)
    with agree(target.comm, "making weights"):
        return generate(source.grid, target.grid, how.method, how.norm, target.owned)


def _by_esmpy(source: Layout, target: Layout, how: Recipe) -> Triplets:
    from tradewind.couplers.esmf import weights as make

    made = None
    with agree(target.comm, "making weights with ESMPy"):
        if target.comm.rank == 0:
            made = make(source.grid, target.grid, how.method, how.norm)
    shared = target.comm.bcast(made)
    if shared is None:
        raise GridError("ESMPy returned no weights", where="Regridder")
    return shared


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
