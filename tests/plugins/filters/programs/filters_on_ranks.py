"""Every filter on however many ranks there are, with observations that all hold and with parts of them."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import torch

from tradewind.couplers.assimilation import Ensemble, Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import as_communicator, owned_blocks
from tradewind.errors import TradewindError
from tradewind.plugins.filters import options
from tradewind.plugins.filters.denkf import DEnKF
from tradewind.plugins.filters.enkf import EnKF
from tradewind.plugins.filters.local.letkf import LESTKF, LETKF
from tradewind.plugins.filters.particle import ParticleFilter
from tradewind.plugins.filters.particle_options import Jitter, ParticleOptions
from tradewind.plugins.filters.serial.eakf import EAKF
from tradewind.plugins.filters.transform.etkf import ESTKF, ETKF
from tradewind.plugins.filters.transform.finite_size import EnKFN

M, N = 1300, 6
"""Observations in two blocks of 1024: of three ranks, one has none."""
NEAR = {"radius": 1500.0, "vertical": {"radius": 4.0}}
TUNED = {"inflation": {"forecast": 1.1, "rtps": 0.3, "analysis": 1.02}, "rotation": "random", "seed": 3}
ADAPTIVE = {"inflation": {"adaptive": {"error": 0.2}, "rtpp": 0.2}}
FILTERS = {
    "etkf": ETKF(options.ETKFOptions(**TUNED)),
    "estkf": ESTKF(options.ESTKFOptions(**ADAPTIVE)),
    "enkf-n": EnKFN(options.FiniteSizeOptions(certainty=2.0)),
    "enkf": EnKF(options.EnKFOptions(seed=1)),
    "letkf": LETKF(options.LETKFOptions(localization=NEAR, **TUNED)),
    "letkf-pairs": LETKF(options.LETKFOptions(localization=NEAR, points_per_analysis=2, **ADAPTIVE)),
    "lestkf": LESTKF(options.LESTKFOptions(localization=NEAR)),
    "denkf-local": DEnKF(options.DEnKFOptions(localization=NEAR)),
    "enkf-local": EnKF(options.EnKFOptions(localization=NEAR)),
    "eakf": EAKF(options.EAKFOptions(**ADAPTIVE)),
    "eakf-local": EAKF(options.EAKFOptions(localization=NEAR, **TUNED)),
    "particle": ParticleFilter(ParticleOptions(jitter=Jitter.MUSSO)),
}


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def observed(comm, shared_out):
    """Return observations: all of them, or with `shared_out` this rank's whole blocks of 1024."""
    rng = np.random.default_rng(5)
    places = {
        "longitude": rng.uniform(0, 360, M),
        "latitude": rng.uniform(-90, 90, M),
        "vertical": np.where(np.arange(M) % 5 == 0, np.nan, rng.uniform(0, 3, M)),
    }
    whole = Observations(draw(M, seed=1), DiagonalCovariance(draw(M, seed=2).square() + 0.5), places)
    if not shared_out:
        return whole, torch.arange(M)
    mine = [np.arange(b * 1024, min((b + 1) * 1024, M)) for b in owned_blocks(M, 1024, comm)]
    numbers = torch.from_numpy(np.concatenate([np.zeros(0, dtype=np.int64), *mine]))
    part = whole.take(numbers)
    return Observations(part.y, part.covariance, part.coordinates, numbers, comm), numbers


def ensemble(layout, numbers):
    fields = {
        "c": layout.scatter(draw(N, 3, layout.n_global, seed=3)),
        "d": layout.scatter(draw(N, layout.n_global, seed=4)),
        "nowhere": draw(N, 2, seed=6),
    }
    simulated = draw(N, M, seed=7)[:, numbers].contiguous()
    levels = {"c": torch.tensor([0.5, 1.5, 2.5], dtype=torch.float64)}
    return Ensemble(fields, simulated, {"c": layout, "d": layout}, levels)


def analysed(method, layout, comm, shared_out):
    """Return everything that two analyses leave, gathered."""
    observations, numbers = observed(comm, shared_out)
    first = method.analyse(ensemble(layout, numbers), observations)
    found = method.analyse(replace(first, number=1, details={}), observations)
    simulated = found.simulated.numpy()
    if shared_out:
        simulated = np.concatenate(comm.allgather_array(np.ascontiguousarray(simulated.T))).T
    out = {name: layout.gather(found.fields[name]).numpy() for name in ("c", "d")}
    out |= {"nowhere": found.fields["nowhere"].numpy(), "simulated": np.ascontiguousarray(simulated)}
    kept = found.memory.get("inflation")
    if isinstance(kept, dict):
        out["inflation"] = layout.gather(kept["c"]).numpy()
    return out


def layouts(comm):
    """Blocks that leave a rank without cells, and strewn cells."""
    grid = Grid.latlon(np.arange(-75, 90, 30), np.arange(0, 360, 30))
    strewn = np.flatnonzero(np.arange(grid.size) * 7 % 11 % comm.size == comm.rank)
    return {"blocks": Layout.blocks(grid, comm, block=40), "strewn": Layout(grid, comm, strewn)}


def fault(comm, layout):
    """Return what every rank says of a member that only one rank's cells betray."""
    observations, numbers = observed(comm, False)
    given = ensemble(layout, numbers)
    if comm.rank == comm.size - 1:  # the first may have no cells
        given.fields["c"][2, 1, 0] = torch.nan
    try:
        FILTERS["letkf"].analyse(given, observations)
    except TradewindError as error:
        return np.array(comm.allgather(f"{type(error).__name__}: {error}"))
    return np.array(["nothing"])


def results(mpi):
    comm = as_communicator(mpi)
    out = {}
    for where, layout in layouts(comm).items():
        # parts of the observations with blocks of cells, all of them with strewn cells
        shared_out = where == "blocks" and comm.size > 1
        for name, method in FILTERS.items():
            found = analysed(method, layout, comm, shared_out)
            out |= {f"{where} {name} {key}": value for key, value in found.items()}
    layout = layouts(comm)["blocks"]
    observations, numbers = observed(comm, True)
    told = FILTERS["letkf"].analyse(ensemble(layout, numbers), observations).details["exchange"]
    out["traffic"] = np.array(comm.allgather([told["messages"], told["bytes"], told["observations"]]))
    grid = layout.grid
    out["work"] = FILTERS["letkf"].work(grid.lon, grid.lat, observations)
    out["fault"] = fault(comm, layout)
    return out


if __name__ == "__main__":
    from mpi4py import MPI

    torch.set_num_threads(1)
    found = results(MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(sys.argv[1], **found)
