"""A limited regridder on any number of ranks, some of which own no cell.

Run as a program it writes rank 0's copy of `results` to the file that it is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.couplers.regrid.limited import LimitedRegridder, Limits

NORMS = ("fracarea", "dstarea")


def grids():
    holes = np.arange(72).reshape(6, 12) % 7 != 0
    a = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=holes)
    return a, Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5))


def layouts(comm):
    """Blocks dealt to all, and all cells on the last rank."""
    a, b = grids()
    yield "dealt", Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 16)
    last = comm.rank == comm.size - 1
    owned = [np.arange(g.size) if last else np.zeros(0, dtype=np.int64) for g in (a, b)]
    yield "heaped", Layout(a, comm, owned[0]), Layout(b, comm, owned[1])


def results(mpi):
    comm = as_communicator(mpi)
    folder = Path(comm.bcast(tempfile.mkdtemp()))
    out = {}
    for name, source, target in layouts(comm):
        for norm in NORMS:
            out |= one(f"{name}_{norm}", source, target, norm, None)
            out |= one(f"{name}_{norm}_written", source, target, norm, folder)
            out |= one(f"{name}_{norm}_cached", source, target, norm, folder)
    return out


def one(name, source, target, norm, cache):
    regridder = LimitedRegridder.build(source, target, Limits(0.0, 3.0), norm=norm, cache=cache)
    drawn = np.random.default_rng(3).random((2, source.n_global)) ** 4 * 3
    x = source.scatter(torch.from_numpy(drawn)).requires_grad_()
    y = regridder(x)
    cotangent = regridder.first.range.random(5, (2,))
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    tangent = regridder.linearize(x.detach())
    change = tangent.forward(regridder.first.domain.random(6, (2,)))
    return {
        f"{name}_y": target.gather(y.detach()).numpy(),
        f"{name}_gradient": source.gather(gradient).numpy(),
        f"{name}_tangent": target.gather(change).numpy(),
        f"{name}_adjoint": source.gather(tangent.adjoint(cotangent)).numpy(),
        f"{name}_dot": np.array(dot_test(tangent, batch=(2,))),
        f"{name}_outside": np.array(regridder.outside(x.detach() - 0.1)),
    }


if __name__ == "__main__":
    from mpi4py import MPI

    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(sys.argv[1], **found)
