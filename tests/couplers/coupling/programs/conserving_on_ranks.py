"""Global conservation and checks of fractions on ranks: python conserving_on_ranks.py OUT.npz."""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.coupling.conserving import GloballyConserving
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.merging import check_fractions
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method
from tradewind.errors import TradewindError


def end(name: str, step: float, comm: object) -> End:
    lat, lon = np.arange(-90 + step / 2, 90, step), np.arange(step / 2, 360, step)
    grid = Grid.latlon(lat, lon, mask=np.add.outer(lat, lon) % 7 > 1)
    return End(name, Variable("flux", "kg m-2 s-1", grid, Kind.FLUX_INTENSIVE), Layout(grid, comm))


def refused(target: End, wrong: int) -> str:
    half = torch.full((target.layout.n_global,), 0.5, dtype=torch.float64)
    off = half.clone()
    off[wrong] = 0.75
    try:
        check_fractions([target.layout.scatter(half), target.layout.scatter(off)], target)
    except TradewindError as error:
        return type(error).__name__ + str(error)
    return ""


def results(comm: object) -> dict[str, np.ndarray]:
    source, target = end("a", 4.0, comm), end("b", 9.0, comm)
    plain = Regridder.build(source.layout, target.layout, Method.BILINEAR, backend="native")
    operator = GloballyConserving(plain, source, target)
    x = operator.domain.random(1, (2, 3))
    y = operator.forward(x)
    return {
        "forward": target.layout.gather(y).numpy(),
        "adjoint": source.layout.gather(operator.adjoint(operator.range.random(2, (2, 3)))).numpy(),
        "integrals": np.array([source.integral(x), target.integral(y)]),
        "dot": np.array(dot_test(operator, batch=(2,))),
        "sound": np.array(refused(target, int(np.argmin(target.layout.grid.mask)))),
        "wrong": np.array(refused(target, int(np.argmax(target.layout.grid.mask)))),
    }


if __name__ == "__main__":
    from mpi4py import MPI

    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        np.savez(sys.argv[1], **found)
