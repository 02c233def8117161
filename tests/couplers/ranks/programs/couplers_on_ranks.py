"""What must not depend on the number of ranks, computed on any number of them.

Run as a program it writes rank 0's copy of `results` to the file that it is given.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import agree, as_communicator, ordered_sum, owned_blocks
from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import TradewindError

KINDS = [
    *((method, norm) for method in ("conservative", "conservative_2nd") for norm in ("fracarea", "dstarea")),
    *((method, "fracarea") for method in ("bilinear", "nearest_s2d", "nearest_d2s")),
]
LAND = np.arange(72).reshape(6, 12) % 5 != 0


def grids():
    a = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=LAND)
    b = Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5))
    return a, b


def layouts(comm):
    """Blocks of several sizes; with the large ones some ranks own nothing."""
    a, b = grids()
    yield "small", Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 16)
    yield "large", Layout.blocks(a, comm, 64), Layout.blocks(b, comm, 128)
    size, rank = comm.size, comm.rank
    strewn = [np.arange(g.size)[np.arange(g.size) * 7 % 11 % size == rank] for g in (a, b)]
    yield "strewn", Layout(a, comm, strewn[0]), Layout(b, comm, strewn[1])


def results(mpi, folder):
    comm = as_communicator(mpi)
    out = {}
    for name, source, target in layouts(comm):
        out.update(spaces(f"{name}_space", source))
        out.update(halo(f"{name}_halo", source))
        for method in ("conservative", "bilinear", "nearest_s2d", "nearest_d2s"):
            out.update(regridding(f"{name}_{method}", source, target, method))
    out.update(sums(comm))
    out.update(files(comm, folder))
    out.update(matrix(comm))
    out.update(subgroups(comm))
    return out


def matrix(comm):
    """Dot tests of method x norm x mask; and each pair's results with few and many members."""
    out = {}
    for masks in ("none", "source", "target", "both"):
        a, b = masked(masks)
        source, target = Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 16)
        for method, norm in KINDS:
            op = Regridder.build(source, target, method, norm=norm, backend="native")
            name = f"{masks}_{method}_{norm}"
            out[f"matrix_{name}_dottest"] = np.array(dot_test(op, batch=(3,)))
            x, y = op.domain.random(1, (9,)), op.range.random(2, (9,))
            out[f"matrix_{name}_forward"] = target.gather(op(x)).numpy()
            out[f"matrix_{name}_adjoint"] = source.gather(op.adjoint(y)).numpy()
    return out


def masked(which):
    a, b = grids()
    sea = np.arange(144).reshape(9, 16) % 7 != 3
    free = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))
    hit = Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5), mask=sea)
    return {"none": (free, b), "source": (a, b), "target": (free, hit), "both": (a, hit)}[which]


def subgroups(comm):
    """Regridders of sub-communicators, used in turn with one of all ranks."""
    half = comm.split(comm.rank % 2, comm.rank)
    a, b = grids()
    mine = Regridder.build(Layout.blocks(a, half, 8), Layout.blocks(b, half, 16), backend="native")
    everyone = Regridder.build(Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 16), backend="native")
    x = mine.domain.random(1, (2,))
    first = mine.target.gather(mine(x))
    together = everyone.target.gather(everyone(everyone.domain.random(1, (2,))))
    again = mine.target.gather(mine(x))
    return {
        "subgroup_first": first.numpy(),
        "subgroup_all": together.numpy(),
        "subgroup_again": again.numpy(),
    }


def files(comm, folder):
    """Weights written by some ranks and read again, by file and by cache."""
    _, source, target = next(iter(layouts(comm)))
    op = Regridder.build(source, target, cache=folder / "cache", backend="native")
    again = Regridder.build(source, target, cache=folder / "cache", backend="native")
    op.to_file(folder / "weights.nc")
    comm.barrier()
    read = Regridder.from_file(folder / "weights.nc", source, target)
    x = op.domain.random(7, (2,))
    weights = read_map(folder / "weights.nc").weights
    return {
        "files_made": target.gather(op(x)).numpy(),
        "files_cached": target.gather(again(x)).numpy(),
        "files_read": target.gather(read(x)).numpy(),
        "files_adjoint": source.gather(read.adjoint(op.range.random(8))).numpy(),
        "files_value": weights.value,
        "files_entries": np.stack([weights.row, weights.col]),
        "files_frac": weights.frac_target,
    }


def spaces(name, layout):
    space = Distributed(layout, extra=(2,))
    a, b = space.random(1, (7,)), space.random(2, (7,))
    cells = Distributed(layout).random(3)
    return {f"{name}_dot": np.array(space.dot(a, b)), f"{name}_random": layout.gather(cells).numpy()}


def halo(name, layout):
    wide = layout.with_halo(1)
    move = layout.redistribute(wide)
    x = move.domain.random(4, (3,))
    back = wide.redistribute(layout)(move(x))
    return {f"{name}_roundtrip": layout.gather(back - x).numpy(), f"{name}_dottest": np.array(dot_test(move))}


def regridding(name, source, target, method):
    op = Regridder.build(source, target, method)
    x, y = op.domain.random(5, (4,)), op.range.random(6, (4,))
    return {
        f"{name}_forward": target.gather(op(x)).numpy(),
        f"{name}_adjoint": source.gather(op.adjoint(y)).numpy(),
        f"{name}_one": target.gather(op(x[0])).numpy(),
        f"{name}_gradient": source.gather(gradient(op, x, y)).numpy(),
        f"{name}_frac": target.gather(op.frac_target).numpy(),
        f"{name}_dottest": np.array(dot_test(op, batch=(2,))),
    }


def gradient(op, x, y):
    x = x.clone().requires_grad_()
    (op(x) * y).sum().backward()
    return x.grad


def sums(comm):
    def block(i):
        return torch.randn(3, 2, generator=torch.Generator().manual_seed(i), dtype=torch.float64)

    mine = {i: block(i) for i in owned_blocks(35, 8, comm)}
    return {"sum_of_blocks": ordered_sum(comm, mine).numpy()}


def faults(comm):
    """Things that go wrong on the last rank only: every rank must raise, none may wait for ever."""
    last = comm.rank == comm.size - 1
    a, b = grids()
    source, target = Layout.blocks(a, comm, 8), Layout.blocks(b, comm, 8)
    op = Regridder.build(source, target)

    def wrong_shape():
        op(torch.zeros(source.n_local + last, dtype=torch.float64))

    def wrong_dtype():
        op.adjoint(torch.zeros(target.n_local, dtype=torch.float32 if last else torch.float64))

    def bad_cells():
        Layout(a, comm, np.array([a.size + 5]) if last else source.owned)

    def orphan():
        Layout(a, comm, source.owned[1:])

    def plain():
        with agree(comm, "body"):
            if last:
                raise ValueError("only here")

    def no_overlap():
        near = Grid.latlon([1.0, 2.0], [1.0, 2.0])
        far = Grid.latlon([41.0, 42.0], [1.0, 2.0])
        Regridder.build(Layout.blocks(near, comm, 1), Layout.blocks(far, comm, 1))

    def unequal_blocks():
        ordered_sum(comm, {comm.rank: torch.zeros(2 + last, dtype=torch.float64)})

    def unequal_batch():
        op(torch.zeros(2 + last, source.n_local, dtype=torch.float64))

    def whole_field():
        op(torch.zeros(source.n_global if last else source.n_local, dtype=torch.float64))

    def wrong_gather():
        source.gather(torch.zeros(source.n_local + last, dtype=torch.float64))

    def halo_target():
        Regridder.build(source, target.with_halo(1))

    together = (unequal_batch, halo_target, orphan, no_overlap, unequal_blocks)
    for fault in (*together, wrong_gather, wrong_shape, whole_field, wrong_dtype, bad_cells, plain):
        yield fault.__name__, last, raised(fault)


def raised(fault):
    try:
        fault()
    except (TradewindError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def main(path):
    from mpi4py import MPI

    comm = as_communicator(MPI.COMM_WORLD)
    out = results(MPI.COMM_WORLD, Path(path).parent)
    for name, _, message in faults(comm):
        out[f"fault_{name}"] = np.array(comm.allgather(message))
    half = comm.split(comm.rank % 2, comm.rank)
    out["halves"] = np.array(comm.allgather((half.rank, half.size)))
    sent = [np.full((r + 1, 2), 10 * comm.rank + r, dtype=np.int64) for r in range(comm.size)]
    out["exchanged"] = np.concatenate([p.ravel() for p in comm.exchange(sent)])
    if comm.rank == 0:
        np.savez(path, **out)


if __name__ == "__main__":
    main(sys.argv[1])
