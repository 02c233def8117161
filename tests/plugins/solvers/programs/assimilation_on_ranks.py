"""What an assimilation must give on any number of ranks; rank 0 writes its copy to the file given."""

from __future__ import annotations

import sys

import numpy as np
import torch

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.control import Clustering, Per, PriorError, ScaledField
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.couplers.assimilation.sampling import SamplingOperator, bilinear_cells
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator
from tradewind.errors import TradewindError
from tradewind.plugins.filters.transform.etkf import ETKF
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.options import AnalyticalOptions
from tradewind.plugins.solvers.variational.envar import EnVar
from tradewind.plugins.solvers.variational.incremental import FourDVar
from tradewind.plugins.solvers.variational.options import EnVarOptions, FourDVarOptions
from tradewind.plugins.solvers.windows import owned
from tradewind.testing.model import LinearModel, VectorControl, days

SIZES = {"two": (5, 3), "seven": (4, 0, 9, 1, 70, 0, 2)}
N = 6


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(sizes, comm, kind=LinearModel):
    windows = dict(zip(days(len(sizes)), sizes, strict=True))
    jacobians = {w: draw(m, N, seed=i) for i, (w, m) in enumerate(windows.items())}
    offsets = {w: draw(m, seed=50 + i) for i, (w, m) in enumerate(windows.items())}
    errors = {w: torch.full((m,), 0.1, dtype=torch.float64) for w, m in windows.items()}
    seen = {
        w: Observations(
            draw(m, seed=90 + i), DiagonalCovariance(draw(m, seed=70 + i).square() + 0.1) if m else None
        )
        for i, (w, m) in enumerate(windows.items())
    }
    a = draw(N, N, seed=1000)
    control = VectorControl(draw(N, seed=7), DenseCovariance(a @ a.T + torch.eye(N, dtype=torch.float64)))
    return kind(jacobians, offsets, errors, comm), control, seen


class FailsOnSecond(LinearModel):
    """Gives NaN in its second window only."""

    def __call__(self, x, window):
        found = super().__call__(x, window)
        return found * torch.nan if window == self.windows[1] else found


def inversion(name, comm, gamma, mine_only):
    model, control, seen = problem(SIZES[name], comm)
    if mine_only:  # what a rank does not own it need not hold
        mine = {model.windows[i] for i in owned(model.windows, comm)}
        seen = {w: s for w, s in seen.items() if w in mine}
    found = Analytical(AnalyticalOptions(gamma=gamma)).solve(model, control, seen)
    simulated = [found.simulated[w][k] for w in model.windows for k in ("prior", "posterior")]
    return {
        "mean": found.mean,
        "covariance": found.covariance,
        "kernel": found.averaging_kernel,
        "cost": torch.tensor([found.cost[k] for k in sorted(found.cost)]),
        "simulated": torch.cat(simulated),
        "details": torch.tensor([found.details[k] for k in sorted(found.details)]),
    }


def variational(comm):
    """Return posteriors of the larger problem by methods that iterate."""
    solvers = {
        "cg": FourDVar(),
        "gauss_newton": FourDVar(FourDVarOptions(minimiser="gauss-newton", covariance="lanczos")),
        "lbfgs": FourDVar(FourDVarOptions(minimiser="lbfgs", inner=15)),
        "envar": EnVar(EnVarOptions(members=8, static=0.0, ensemble=1.0, derivative="ensemble")),
    }
    for name, solver in solvers.items():
        found = solver.solve(*problem(SIZES["seven"], comm))
        gradients = [entry["gradient"] for entry in found.details["iterations"]]
        yield f"{name}_mean", found.mean
        yield f"{name}_covariance", found.covariance
        yield f"{name}_course", torch.tensor(gradients, dtype=torch.float64)
        yield f"{name}_simulated", torch.cat([s["posterior"] for s in found.simulated.values()])


def scaling(layout):
    field = layout.scatter(draw(layout.n_global, seed=3).clamp(min=0.0))
    control = ScaledField("a.b", field, layout, Clustering(Per.CLUSTER, 3.0), PriorError(0.5, 300.0))
    operator = control.linearize(control.prior)
    y = layout.scatter(draw(2, layout.n_global, seed=4))
    x = draw(2, len(control.prior), seed=5)
    return {
        "forward": layout.gather(operator.forward(x)),
        "adjoint": operator.adjoint(y),
        "labels": control.labels,
        "sa": control.covariance.matrix,
        "dot": torch.tensor(dot_test(operator)),
    }


def sampling(layout):
    lon, lat = draw(40, seed=8).clamp(-2, 2).numpy() - 101, draw(40, seed=9).clamp(-2, 2).numpy() + 33
    operator = SamplingOperator(bilinear_cells(layout.grid, lon, lat), layout)
    x = layout.scatter(draw(2, layout.n_global, seed=10))
    return {
        "forward": operator.forward(x),
        "adjoint": layout.gather(operator.adjoint(draw(2, 40, seed=11))),
        "dot": torch.tensor(dot_test(operator)),
    }


def filtering(layout):
    whole, y = draw(7, 2, layout.n_global, seed=12), draw(7, 5, seed=13)
    ensemble = Ensemble({"c": layout.scatter(whole)}, y, {"c": layout})
    observations = Observations(draw(5, seed=14), DiagonalCovariance(torch.ones(5, dtype=torch.float64)))
    return {"c": layout.gather(ETKF().analyse(ensemble, observations).fields["c"])}


def layouts(comm):
    """Blocks that leave some ranks without cells, strewn cells, and blocks with a halo."""
    grid = Grid.latlon(np.arange(28.5, 38), np.arange(-106.5, -95))
    yield "blocks", Layout(grid, comm)
    yield "strewn", Layout(grid, comm, np.flatnonzero(np.arange(grid.size) * 7 % 11 % comm.size == comm.rank))


def halo(comm):
    """Return dot tests where cells have several owners."""
    for _, layout in layouts(comm):
        wide = layout.with_halo(1)
        yield scaling(wide)["dot"]
        yield sampling(wide)["dot"]


def fault(comm, change):
    """Return what every rank says when an inversion cannot be done."""
    try:
        change(comm)
    except TradewindError as error:
        return np.array(comm.allgather(f"{type(error).__name__}: {error}"))
    return np.array(["nothing"])


def fails_in_one_window(comm):
    model, control, seen = problem(SIZES["two"], comm, FailsOnSecond)
    Analytical().solve(model, control, seen)


def nobody_has_seen_anything(comm):
    model, control, _ = problem(SIZES["two"], comm)
    Analytical().solve(model, control, {})


def only_the_wrong_rank_has_them(comm):
    model, control, seen = problem(SIZES["two"], comm)
    mine = {model.windows[i] for i in owned(model.windows, comm)}
    Analytical().solve(model, control, {w: s for w, s in seen.items() if w not in mine})


def results(mpi):
    comm = as_communicator(mpi)
    parts = {
        f"{n}_{g}_{k}": inversion(n, comm, g, k) for n in SIZES for g in (1.0, "auto") for k in (False, True)
    }
    parts["variational"] = dict(variational(comm))
    for name, layout in layouts(comm):
        parts[f"{name}_scaling"], parts[f"{name}_sampling"] = scaling(layout), sampling(layout)
        parts[f"{name}_filtering"] = filtering(layout)
    out = {f"{name}_{key}": v.numpy() for name, part in parts.items() for key, v in part.items()}
    out["halo"] = torch.stack(list(halo(comm))).numpy()
    for change in (fails_in_one_window, nobody_has_seen_anything, only_the_wrong_rank_has_them):
        out[change.__name__] = fault(comm, change)
    return out


if __name__ == "__main__":
    from mpi4py import MPI

    torch.set_num_threads(1)
    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(sys.argv[1], **found)
