"""What all modes of the analytical inversion must give on any number of ranks; rank 0 writes its copy."""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PriorError,
    Scale,
)
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.operators import MatrixOperator
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.plugins.solvers.products import accumulating
from tradewind.testing.model import LinearModel, days

SIZES = (5, 0, 9, 1, 70, 2, 8)
ENSEMBLE = {"prior_error": [0.5, 2.0], "observation_error": [0.7, 1.4], "boundary_error": [1.0, 3.0]}
MODES = {
    "auto": (Scale(), {"gamma": "auto", "ensemble": ENSEMBLE}),
    "gain": (Scale(), {"form": "gain", "batch": 64}),
    "low_rank": (Scale(), {"form": "low-rank", "rank": 4, "oversampling": 2}),
    "bounded": (Scale(), {"bounds": [0.5, 1.5]}),
    "lognormal": (Lognormal(0.5), {}),
    "rolling": (Scale(), {"every": "2d", "nudge": 0.2}),
    "carried": (Lognormal(), {"every": "3d", "nudge": 0.2, "carry_covariance": True}),
    "scattered": (Scale(), {}),
}


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Amplitudes(LinearModel):
    """F(x) = K s(x) + c, where the first elements may be logarithms."""

    log = False

    def __call__(self, x, window):
        return super().__call__(torch.cat([torch.exp(x[..., :6]), x[..., 6:]], -1) if self.log else x, window)

    def linearize(self, x, window):
        slope = (
            torch.cat([torch.exp(x[:6]), torch.ones(2, dtype=torch.float64)]) if self.log else torch.ones(8)
        )
        return MatrixOperator(self.jacobians[window] * slope)


def part(target, count, change):
    field = torch.ones(count, dtype=torch.float64)
    return FieldControl(target, field, None, Clustering(Per.CELL), PriorError(0.5), change)


def solved(comm, change, options):
    control = JointControl([part("inventory.flux", 6, change), part("background.boundary", 2, Add())])
    windows = dict(zip(days(len(SIZES)), SIZES, strict=True))
    model = Amplitudes(
        {w: draw(m, 8, seed=i) for i, (w, m) in enumerate(windows.items())},
        {w: draw(m, seed=50 + i) for i, (w, m) in enumerate(windows.items())},
        comm=comm,
    )
    model.log = isinstance(change, Lognormal)
    seen = {
        w: Observations(
            3.0 * draw(m, seed=90 + i), DiagonalCovariance(draw(m, seed=70 + i).square() + 0.1) if m else None
        )
        for i, (w, m) in enumerate(windows.items())
    }
    return Analytical(AnalyticalOptions(**options)).solve(model, control, seen)


def numbers(found):
    yield "mean", found.mean
    yield "covariance", found.covariance
    yield "sensitivity", found.sensitivity
    yield "cost", torch.tensor([found.cost[k] for k in sorted(found.cost)])
    yield "after", torch.cat([s["posterior"] for s in found.simulated.values()])
    for key in ("ensemble", "periods"):
        if key in found.details:
            yield key, torch.stack([one["mean"] for one in found.details[key]])


def results(mpi):
    comm, out = as_communicator(mpi), {}
    for name, (change, options) in MODES.items():
        whole = accumulating.WHOLE
        accumulating.WHOLE = 1 if name == "scattered" else whole
        out |= {f"{name}_{key}": value.numpy() for key, value in numbers(solved(comm, change, options))}
        accumulating.WHOLE = whole
    return out


if __name__ == "__main__":
    from mpi4py import MPI

    torch.set_num_threads(1)
    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(sys.argv[1], **found)
