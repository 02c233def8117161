"""Masks, quantities and vectors on any number of ranks, some of which own no cell.

Run as a program it writes rank 0's copy of `results` to the file that it is given.
"""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.couplers.regrid.masks import MaskedRegridder, mask_of, masked_regrid
from tradewind.couplers.regrid.quantities import quantity_operator
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.vectors import GridAligned, VectorRegridder
from tradewind.errors import TradewindError

LAT, LON = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
METHODS = ("conservative", "bilinear", "nearest_s2d", "nearest_d2s")


def grids():
    drawn = np.random.default_rng(1)
    area = Grid.latlon(LAT, LON).area.reshape(6, 12) * drawn.uniform(0.97, 1.03, (6, 12))
    a = Grid.latlon(LAT, LON, mask=np.arange(72).reshape(6, 12) % 5 != 0, area=area)
    return a, Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5))


def layouts(comm):
    """Blocks dealt to all, and all cells on the last rank but for a few."""
    a, b = grids()
    yield "dealt", Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 16)
    last = comm.rank == comm.size - 1
    owned = [np.arange(g.size) if last else np.zeros(0, dtype=np.int64) for g in (a, b)]
    yield "heaped", Layout(a, comm, owned[0]), Layout(b, comm, owned[1])


def results(mpi):
    comm = as_communicator(mpi)
    out = {}
    for name, source, target in layouts(comm):
        for method in METHODS:
            out |= masked(f"{name}_masked_{method}", source, target, method)
            out |= vectors(f"{name}_vector_{method}", source, target, method)
        for kind in Kind:
            out |= quantities(f"{name}_{kind.name}", source, target, kind)
        out |= faults(f"{name}_fault", source, target)
    return out


def field(layout, seed, batch=()):
    """The same numbers for any number of ranks: the whole field drawn, this rank's part taken."""
    whole = torch.randn(*batch, layout.n_global, generator=torch.Generator().manual_seed(seed)).double()
    return layout.scatter(whole)


def pair(op, source, target, batch=(1,), parts=1):
    """Forward, adjoint and dot test of an operator, gathered."""
    x, y = op.domain.random(3, batch), op.range.random(4, batch)
    return {
        "forward": target.gather(op(x).reshape(*batch, parts, target.n_local)).numpy(),
        "adjoint": source.gather(op.adjoint(y).reshape(*batch, parts, source.n_local)).numpy(),
        "dottest": np.array(dot_test(op, batch=batch)),
    }


def named(name, found):
    return {f"{name}_{key}": value for key, value in found.items()}


def masked(name, source, target, method):
    inner = Regridder.build(source, target, method, backend="native")
    mask = field(source, 1, (2,)).clamp(0, 1)
    op = MaskedRegridder(inner, mask, 0.3)
    x = field(source, 2, (2,))
    x[:, torch.from_numpy(source.owned % 3 == 0)] = float("nan")
    m = (mask * mask_of(x)).requires_grad_()
    x.requires_grad_()
    y = masked_regrid(inner, x, m, 0.3)
    y.nansum().backward()
    found = pair(op, source, target, (2,)) | {
        "coverage": target.gather(op.coverage).numpy(),
        "function": target.gather(y.detach()).numpy(),
        "slope_x": source.gather(x.grad).numpy(),
        "slope_m": source.gather(m.grad).numpy(),
    }
    return named(name, found)


def vectors(name, source, target, method):
    op = VectorRegridder(Regridder.build(source, target, method, backend="native")) @ GridAligned(source)
    return named(name, pair(op, source, target, parts=2))


def quantities(name, source, target, kind):
    op = quantity_operator(source, target, kind, backend="native")
    ends = [End(n, Variable("f", "kg", at.grid, kind), at) for n, at in (("a", source), ("b", target))]
    exchange, x = Exchange(*ends, op), field(source, 5, (3,)).square()
    hour = Interval(*np.array(["2000-01-01T00", "2000-01-01T01"], dtype="datetime64[s]").tolist())
    entry = exchange.account(x, exchange.forward(x), hour)
    ledger = {"left": np.array(entry.left), "arrived": np.array(entry.arrived)}
    return named(name, pair(op, source, target, (2,)) | ledger | {"notes": np.array(op.notes)})


def faults(name, source, target):
    """What each rank says when only the last one's field or mask is wrong."""
    comm = source.comm
    last = comm.rank == comm.size - 1
    inner = Regridder.build(source, target, backend="native")
    ones = torch.ones(source.n_local, dtype=torch.float64)
    op = MaskedRegridder(inner, ones)
    bad = {
        "nan": lambda: op(ones * float("nan") if last else ones),
        "mask": lambda: MaskedRegridder(inner, 2 * ones if last else ones),
        "function": lambda: masked_regrid(inner, ones * float("nan") if last else ones, ones),
        "pair": lambda: VectorRegridder(inner)(ones if last else torch.cat([ones, ones])),
    }
    return {f"{name}_{what}": np.array(comm.allgather(message(run))) for what, run in bad.items()}


def message(run):
    try:
        run()
    except TradewindError as error:
        return f"{type(error).__name__}: {error}"
    return "no fault"


if __name__ == "__main__":
    from mpi4py import MPI

    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(sys.argv[1], **found)
