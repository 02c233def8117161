"""ESMPy's weights on all ranks: of the world, and of each half of it; rank 0 writes them to a file.

mpiexec -n 2 python esmf_on_ranks.py results.npz
"""

from __future__ import annotations

import sys

import numpy as np
from mpi4py import MPI

from tradewind.couplers import esmf_runs
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import Communicator, as_communicator
from tradewind.couplers.regrid.regridder import gathered
from tradewind.couplers.regrid.scheme import Creep, Method, Norm, Scheme
from tradewind.couplers.regrid.weights import Triplets

BOX = Grid.latlon(np.arange(27.0, 38, 2), np.arange(-109.0, -96, 2))
WIDE = Grid.latlon(np.arange(21.0, 45, 2), np.arange(-115.0, -90, 2))
MESH = Grid.mesh(
    [-108.0, -104, -104, -108, -100, -98, -96],
    [28.0, 28, 33, 33, 30, 36, 36],
    [[0, 1, 2, 3], [1, 4, 2, -1], [4, 6, 5, 2]],
    mask=[1, 1, 0],
)
POINTS = Grid.points(np.linspace(-108, -98, 9), np.linspace(28, 36, 9))
CASES = {
    "conservative": (WIDE, BOX, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)),
    "second": (WIDE, BOX, Scheme(Method.CONSERVATIVE_2ND)),
    "bilinear": (BOX, WIDE, Scheme(Method.BILINEAR)),
    "patch": (WIDE, BOX, Scheme(Method.PATCH)),
    "from_mesh": (MESH, BOX, Scheme()),
    "onto_mesh": (BOX, MESH, Scheme()),
    "onto_points": (BOX, POINTS, Scheme(Method.BILINEAR)),
    "from_points": (POINTS, BOX, Scheme(Method.NEAREST_D2S)),
    "creep": (BOX, WIDE, Scheme(Method.BILINEAR, extrapolation=Creep(2))),
}


def weights(case: str, comm: Communicator) -> Triplets:
    """Return all ranks' rows of a case, after a look at whether this rank has its own."""
    source, target, scheme = CASES[case]
    layout = Layout.blocks(target, comm, 8)
    made = esmf_runs.weights(Layout(source, comm), layout, scheme)
    if not np.isin(made.row, layout.owned).all():
        raise SystemExit(f"{case}: rank {comm.rank} has rows of others")
    return gathered(made, layout)


def main(path: str) -> None:
    """Make all weights, twice for the bilinear ones: on the world, and on the half that this rank is in."""
    world = as_communicator(MPI.COMM_WORLD)
    found = {case: weights(case, world) for case in CASES}
    found["half"] = weights("bilinear", world.split(world.rank % 2))
    arrays = {
        f"{case}.{name}": getattr(made, name)
        for case, made in found.items()
        for name in ("row", "col", "value", "frac_target")
    }
    way = esmf_runs.agreed(world, esmf_runs.where(world, (BOX, WIDE)))
    if world.rank == 0:
        np.savez(path, way=np.array(way.value), **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
