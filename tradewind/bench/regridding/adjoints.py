"""Dot tests of regridding: method x norm x mask on any number of ranks.

On ranks by ``python -m tradewind.bench.regridding.adjoints``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tradewind.bench.checkout import can_launch, python
from tradewind.bench.regridding.grid_pairs import equal_angle, half_polar
from tradewind.couplers.operators import LinearOperator, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.masks import MaskedRegridder
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, Method, NearestSource, Norm, Scheme

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress
    from tradewind.couplers.grids import Grid

RANKS = (2, 3, 4)
AFAR = (NearestSource(), InverseDistance(), Creep(2))


def figures(progress: Progress) -> dict[str, Any]:
    """Return the worst dot test of all, and their number; on ranks where ranks can be started."""
    ranks = RANKS if can_launch() else ()
    step = progress("dot tests", 1 + len(ranks))
    found = {f"{name}, 1 rank": value for name, value in dot_tests(None).items()}
    step()
    for count in ranks:
        more: dict[str, float] = json.loads(python(["-m", "tradewind.bench.regridding.adjoints"], count))
        found |= {f"{name}, {count} ranks": value for name, value in more.items()}
        step()
    return {"dot_test_max": max(found.values()), "dot_tests": len(found), "dot_test_ranks": 1 + len(ranks)}


def dot_tests(comm: object | None) -> dict[str, float]:
    """Return the dot test of each operator by name; collective."""
    return {name: dot_test(op) for name, op in operators(comm)}


def schemes() -> Iterator[Scheme]:
    """Yield every native scheme: conservative methods with both norms, bilinear with every extrapolation."""
    for method in Method:
        for norm in Norm if method.is_conservative else (Norm.FRACAREA,):
            yield Scheme(method, norm)
    for extrapolation in AFAR:
        yield Scheme(Method.BILINEAR, extrapolation=extrapolation)


def operators(comm: object | None) -> Iterator[tuple[str, LinearOperator]]:
    """Yield every scheme without masks, with masked cells of both grids, and with a mask that moves."""
    whole = equal_angle(60, 36), half_polar()
    holes = tuple(_with_holes(grid, seed) for seed, grid in enumerate(whole))
    for scheme in schemes():
        for name, pair in (("no mask", whole), ("masked cells", holes)):
            source, target = (Layout.blocks(grid, comm, 256) for grid in pair)
            regridder = Regridder.build(source, target, scheme, backend="native")
            yield f"{scheme}, {name}", regridder
        yield f"{scheme}, moving mask", MaskedRegridder(regridder, _mask(regridder.source))


def _with_holes(grid: Grid, seed: int) -> Grid:
    return replace(grid, mask=np.random.default_rng(seed).random(grid.size) > 0.3)


def _mask(layout: Layout) -> torch.Tensor:
    """Return fractions, a third of them nothing and a third of them all."""
    whole = torch.rand(layout.n_global, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return layout.scatter((3.0 * whole - 1.0).clamp(0.0, 1.0))


def main() -> None:
    """Write the dot tests on the ranks of the world as JSON, on rank 0."""
    from mpi4py import MPI

    found = dot_tests(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
