"""Dot tests and conservation of every operator; on ranks by ``-m tradewind.bench.inversion.operators``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tradewind.assembly import Assembly, assemble
from tradewind.bench.checkout import can_launch, examples, python
from tradewind.bench.inversion.jacobian import observation_operator
from tradewind.couplers.assimilation.linearization import GuardedOperator
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import LinearOperator, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder

RANKS = (2, 3)
METHODS = ("conservative", "bilinear", "nearest_s2d")


def figures() -> dict[str, Any]:
    """Return the worst dot test, in serial and on ranks, and the worst loss in conservative regridding."""
    assembly = assemble(examples() / "permian.yaml", ["components.transport.run_as=guarded"])
    found = {name: dot_test(op) for name, op in inversion_operators(assembly)}
    found |= {name: dot_test(op) for name, op in grid_operators(None)}
    if can_launch():
        for ranks in RANKS:
            found |= {f"{k}, {ranks} ranks": v for k, v in on_ranks(ranks).items()}
    return {
        "dot_test_max": max(found.values()), "dot_tests": len(found),
        "conservation_max": max(conservation(source, target) for source, target in pairs()),
    }  # fmt: skip


def on_ranks(ranks: int) -> dict[str, float]:
    """Return the dot tests of the distributed operators on `ranks` ranks."""
    found: dict[str, float] = json.loads(python(["-m", "tradewind.bench.inversion.operators"], ranks))
    return found


def inversion_operators(assembly: Assembly) -> Iterator[tuple[str, LinearOperator]]:
    """Yield every operator between the control and the observations of the example's first window."""
    model, window = assembly.model(), assembly.windows[0]
    x = model.control.prior
    yield "control", model.control.linearize(x)
    yield "prior's square root", model.control.sqrt_covariance()
    yield "observation operator", observation_operator(model, window)
    for exchange in assembly.exchanges:
        yield exchange.name, exchange.operator
    yield "Jacobian, guarded", model.linearize(x, window)
    stand_in = model.stand_in(window)
    if stand_in is not None:
        yield "upstream", stand_in.upstream
        if isinstance(stand_in.operator, GuardedOperator):
            yield "transport, reference", stand_in.operator.reference
        yield "transport, guarded", stand_in.operator


def pairs() -> Iterator[tuple[Grid, Grid]]:
    """Yield pairs of global grids, the second covering the first: coarse, fine, and with half polar cells."""
    five, four_by_five = _global(36, 72), _global(45, 72)
    fine, coarse = _global(90, 180), _global(48, 96)
    yield from ((five, four_by_five), (fine, coarse), (coarse, fine))


def _global(rows: int, columns: int) -> Grid:
    lat = -90.0 + (np.arange(rows) + 0.5) * 180.0 / rows
    return Grid.latlon(lat, (np.arange(columns) + 0.5) * 360.0 / columns)


def conservation(source: Grid, target: Grid) -> float:
    """Return |arrived - left| / left for a positive random field by the conservative method."""
    regridder = Regridder.build(source, target, "conservative", backend="native")
    field = torch.rand(source.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    arrived = float((regridder.forward(field) * regridder.frac_target * torch.from_numpy(target.area)).sum())
    left = float((field * torch.from_numpy(source.area)).sum())
    return abs(arrived - left) / left


def grid_operators(comm: object | None) -> Iterator[tuple[str, LinearOperator]]:
    """Yield regridding, redistribution and halo operators among the ranks of `comm`."""
    a, b = next(pairs())
    source, target = Layout.blocks(a, comm, 512), Layout.blocks(b, comm, 2048)
    for method in METHODS:
        yield method, Regridder.build(source, target, method, backend="native")
    yield "redistribution", source.redistribute(Layout.blocks(a, comm, 64))
    yield "halo", source.redistribute(source.with_halo(1))


def main() -> None:
    """Write the dot tests of the distributed operators as JSON, on rank 0."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    found = {name: dot_test(op) for name, op in grid_operators(comm)}
    if comm.rank == 0:
        sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
