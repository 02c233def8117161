"""What smoothers and chains must give on any number of ranks; rank 0 writes its copy to the file given."""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.errors import TradewindError
from tradewind.plugins.solvers.sampling.mcmc import MCMC
from tradewind.plugins.solvers.sampling.options import MCMCOptions
from tradewind.plugins.solvers.smoothers.esmda import ESMDA
from tradewind.plugins.solvers.smoothers.ies import IES
from tradewind.plugins.solvers.smoothers.options import ESMDAOptions, IESOptions
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days

SIZES = (4, 0, 5)
N = 3
PLACES = np.array([10.0, 20.0, 30.0])
REACH = {"radius": 15.0, "distance": "degrees"}
SOLVERS = {
    "esmda": ESMDA(ESMDAOptions(members=12, steps=2)),
    "local": ESMDA(ESMDAOptions(members=12, steps=2, localization=REACH)),
    "exact": ESMDA(ESMDAOptions(members=15, steps=2, draws="exact")),
    "mended": ESMDA(ESMDAOptions(members=12, steps=1, failure="extrapolate")),
    "ies": IES(IESOptions(members=6)),
    "metropolis": MCMC(MCMCOptions(chains=2, steps=24)),
    "hmc": MCMC(MCMCOptions(kernel="hmc", chains=2, steps=8, leapfrog=2)),
}


class Placed(VectorControl):
    """Elements along the equator."""

    @property
    def places(self):
        return PLACES, np.zeros(N)


class Fragile(LinearModel):
    """Fails in its last window where the first element is small."""

    def __call__(self, x, window):
        found = super().__call__(x, window)
        bad = (x[..., 0] < 0.2) & (window == self.windows[-1])
        return torch.where(bad[..., None], torch.nan, found)


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(comm, kind=LinearModel):
    windows = dict(zip(days(len(SIZES)), SIZES, strict=True))
    jacobians = {w: draw(m, N, seed=i) for i, (w, m) in enumerate(windows.items())}
    model = kind(jacobians, {w: draw(m, seed=9) for w, m in windows.items()}, comm=comm)
    seen = {}
    for i, (w, m) in enumerate(windows.items()):
        where = {"longitude": np.linspace(10.0, 30.0, m), "latitude": np.zeros(m)}
        noise = DiagonalCovariance(torch.full((m,), 0.3, dtype=torch.float64)) if m else None
        seen[w] = Observations(draw(m, seed=20 + i), noise, where)
    control = Placed(
        torch.ones(N, dtype=torch.float64), DiagonalCovariance(torch.ones(N, dtype=torch.float64))
    )
    return model, control, seen


def fault(comm):
    """Return what every rank says when a member fails in one window."""
    try:
        ESMDA(ESMDAOptions(members=12)).solve(*problem(comm, Fragile))
    except TradewindError as error:
        return np.array(comm.allgather(f"{type(error).__name__}: {error}"))
    return np.array(["nothing"])


def results(mpi):
    comm = as_communicator(mpi)
    out = {}
    for name, solver in SOLVERS.items():
        found = solver.solve(*problem(comm, Fragile if name == "mended" else LinearModel))
        out[f"{name}_members"], out[f"{name}_mean"] = found.members.numpy(), found.mean.numpy()
        out[f"{name}_costs"] = np.array([found.cost[k] for k in sorted(found.cost)])
        out[f"{name}_notes"] = np.array([*found.details["notes"], "end"])
        out[f"{name}_after"] = torch.cat([s["posterior"] for s in found.simulated.values()]).numpy()
    out["fault"] = fault(comm)
    return out


if __name__ == "__main__":
    from mpi4py import MPI

    torch.set_num_threads(1)
    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(sys.argv[1], **found)
