"""Times of regridding beside ESMPy's, both in turn in one process on one core.

``python -m tradewind.bench.regridding.speed`` writes them as JSON. Ours is `Regridder.build`, from grids
that know nothing yet to an operator that can be applied (its transpose is made when the adjoint is first
asked for); ESMPy's is ``esmpy.Regrid(...)`` on grids that are made already.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from tradewind.bench.checkout import python
from tradewind.bench.regridding.grid_pairs import LARGE, ROTATED, GridPair, equal_angle, rotated
from tradewind.bench.timing import fastest
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, Norm, Scheme

if TYPE_CHECKING:
    from tradewind.couplers.esmf import Stored

    Prepared: TypeAlias = Callable[[], Callable[[], Any]]

MEMBERS = 40
ROUNDS = 3
APPLIED = 15
CONSERVATIVE = Scheme(Method.CONSERVATIVE, Norm.DSTAREA)
BILINEAR = Scheme(Method.BILINEAR)
CASES = {
    "conservative": (LARGE, CONSERVATIVE), "bilinear": (LARGE, BILINEAR), "rotated": (ROTATED, CONSERVATIVE),
}  # fmt: skip


def figures() -> dict[str, Any]:
    """Return all times and ratios, measured in a process that is bound to one core."""
    with TemporaryDirectory() as folder:
        found: dict[str, Any] = json.loads(
            python(["-m", "tradewind.bench.regridding.speed"], folder=Path(folder))
        )
    return found


def measured() -> dict[str, Any]:
    """Measure here; ratios to ESMPy are None where it is absent."""
    _warm_up()
    found: dict[str, Any] = {}
    for name, (pair, scheme) in CASES.items():
        found |= weights(name, pair, scheme)
    return found | applied(LARGE) | cached(LARGE, found["weights_seconds_conservative_esmpy"])


def _warm_up() -> None:
    """Have everything compiled and imported before a clock runs."""
    for source, target in (
        (equal_angle(24, 12), equal_angle(15, 10)),
        (rotated(24, 12, (20, 50)), equal_angle(15, 10)),
    ):
        for scheme in (CONSERVATIVE, BILINEAR):
            regridder = Regridder.build(source, target, scheme, backend="native")
            for batch in ((), (3,), (MEMBERS,)):
                regridder.forward(torch.ones(*batch, source.size, dtype=torch.float64))


def _stored(pair: GridPair, scheme: Scheme) -> Stored | None:
    if find_spec("esmpy") is None:
        return None
    from tradewind.couplers.esmf import Stored

    return Stored(pair.source(), pair.target(), scheme)


def weights(name: str, pair: GridPair, scheme: Scheme) -> dict[str, Any]:
    """Return seconds to make an operator, ours and ESMPy's, and their ratio."""

    def ours() -> Callable[[], Any]:
        source, target = pair.source(), pair.target()
        return lambda: Regridder.build(source, target, scheme, backend="native")

    work: dict[str, Prepared] = {"tradewind": ours}
    stored = _stored(pair, scheme)
    if stored is not None:
        work["esmpy"] = lambda: stored.store
    taken = fastest(work, ROUNDS)
    if stored is not None:
        stored.release()
    seconds = {f"weights_seconds_{name}_{side}": taken.get(side) for side in ("tradewind", "esmpy")}
    return {f"weights_speedup_{name}": _ratio(taken.get("esmpy"), taken["tradewind"]), **seconds}


def applied(pair: GridPair) -> dict[str, Any]:
    """Return seconds to regrid one field and many members given as (member, cell), and what copying takes.

    ESMPy regrids the members one by one: each is copied into its field and out of it. The one field is in
    place already.
    """
    regridder = Regridder.build(pair.source(), pair.target(), CONSERVATIVE, backend="native")
    x = torch.rand(MEMBERS, regridder.source.n_global, generator=torch.Generator().manual_seed(1)).double()
    moved = {1: _moved(regridder, 1), MEMBERS: _moved(regridder, MEMBERS)}
    work: dict[str, Callable[[], Any]] = {
        "one": lambda: regridder.forward(x[0]),
        "all": lambda: regridder.forward(x),
        "copy": _copying(moved[1]),
        "copy_all": _copying(moved[MEMBERS]),
    }
    stored = _stored(pair, CONSERVATIVE)
    if stored is not None:
        stored.store()
        stored.put(x[0].numpy())
        work |= {"esmpy_one": stored.apply, "esmpy_all": _one_by_one(stored, x, regridder.target.n_global)}
    prepared: dict[str, Prepared] = {name: (lambda do=do: do) for name, do in work.items()}  # type: ignore[misc]
    taken = fastest(prepared, APPLIED)
    return {
        "apply_speedup_1": _ratio(taken.get("esmpy_one"), taken["one"]),
        "apply_speedup_40": _ratio(taken.get("esmpy_all"), taken["all"]),
        "bandwidth_fraction": taken["copy"] / taken["one"],
        "bandwidth_fraction_40": taken["copy_all"] / taken["all"],
        "apply_ms_1_tradewind": 1e3 * taken["one"],
        "apply_ms_40_tradewind": 1e3 * taken["all"],
        "apply_ms_1_esmpy": _milliseconds(taken.get("esmpy_one")),
        "apply_ms_40_esmpy": _milliseconds(taken.get("esmpy_all")),
    }


def _one_by_one(stored: Stored, x: torch.Tensor, n_target: int) -> Callable[[], None]:
    members, out = x.numpy(), np.empty((len(x), n_target))

    def work() -> None:
        for member, row in zip(members, out, strict=True):
            stored.put(member)
            stored.apply()
            stored.result(row)

    return work


def _moved(regridder: Regridder, members: int) -> int:
    """Return how many bytes a product must move: the matrix, the fields in, the fields out, each once."""
    matrix = regridder.weights
    fields = 8 * members * (regridder.source.n_global + regridder.target.n_global)
    return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes + fields)


def _copying(moved: int) -> Callable[[], None]:
    """Return a copy that moves as many bytes: half are read, half are written."""
    given = np.ones(moved // 16)
    taken = np.zeros_like(given)
    return lambda: np.copyto(taken, given)


def cached(pair: GridPair, esmpy: float | None) -> dict[str, Any]:
    """Return seconds to make the operator from the cache, and the ratio to ESMPy's store."""
    with TemporaryDirectory() as folder:

        def build() -> Callable[[], Any]:
            source, target = pair.source(), pair.target()
            return lambda: Regridder.build(source, target, CONSERVATIVE, backend="native", cache=folder)

        build()()
        taken = fastest({"cached": build}, ROUNDS)["cached"]
    return {"cache_speedup": _ratio(esmpy, taken), "cache_seconds": taken}


def _ratio(theirs: float | None, ours: float) -> float | None:
    return None if theirs is None else theirs / ours


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def main() -> None:
    """Bind this process to one core, measure, and write JSON."""
    with suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    found = measured()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
