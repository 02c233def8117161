"""The local filter on a million variables, on one rank and on two; and what a thousand ranks would do.

``python -m tradewind.bench.assimilation.scaling`` is one run, on the ranks that it is launched on; its first
rank prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict, dataclass
from hashlib import sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.assimilation.sharing import shared_layout
from tradewind.bench.assimilation.planet import Planet
from tradewind.bench.checkout import python
from tradewind.commands.launch import Launch, Mpi, world
from tradewind.couplers.ranks.parallel import as_communicator, tree_sum
from tradewind.plugins.filters.local.letkf import LETKF
from tradewind.plugins.filters.options import LETKFOptions

if TYPE_CHECKING:
    from torch import Tensor

    from tradewind.couplers.ranks.layout import Layout
    from tradewind.couplers.ranks.parallel import Communicator

RADIUS_KM = 360.0
"""Where the taper reaches zero: some eighty observations are then in reach of each column."""
KIB_PER_GIB = 2**20


@dataclass(frozen=True)
class Analysed:
    """What one run found out.

    Attributes
    ----------
    seconds
        Of the analysis, the slowest rank's.
    peak_gib
        Resident memory at its highest, all ranks together, with everything that the process has imported.
    rmse_before, rmse_after
        Of the mean of the members, over all variables.
    digest
        Of all analysed members, cell by cell.
    sent_bytes, messages
        Of observations sent to other ranks, the most of any rank.
    """

    ranks: int
    variables: int
    seconds: float
    peak_gib: float
    rmse_before: float
    rmse_after: float
    digest: str
    sent_bytes: int
    messages: int


def figures() -> dict[str, Any]:
    """Return the figures of runs on one and two ranks, and those of the model of a thousand."""
    from tradewind.bench.assimilation import thousand

    alone, shared = measured(1), measured(2)
    return {
        "letkf_1m_variables": alone.variables,
        "letkf_1m_seconds_1": alone.seconds,
        "letkf_1m_seconds_2": shared.seconds,
        "letkf_1m_peak_gib": max(alone.peak_gib, shared.peak_gib),
        "letkf_1m_rmse_before": alone.rmse_before,
        "letkf_1m_rmse_after": alone.rmse_after,
        "letkf_1m_rank_identical": int(alone.digest == shared.digest),
        "letkf_1m_bytes_2": shared.sent_bytes,
        "letkf_1m_messages_2": shared.messages,
        "parallel_efficiency_2": alone.seconds / (2.0 * shared.seconds),
    } | thousand.figures(alone.seconds)


def measured(ranks: int) -> Analysed:
    """Return what a run on so many ranks found out."""
    printed = python(["-m", "tradewind.bench.assimilation.scaling"], ranks)
    return Analysed(**json.loads(printed.strip().splitlines()[-1]))


def run(comm: Communicator, planet: Planet) -> Analysed:
    """Analyse once, and look at time, memory and result; every rank enters."""
    letkf = local_filter()
    layout = shared_layout(planet.grid, comm, letkf, planet.everything)
    observations, simulated = planet.seen(comm)
    before = planet.ensemble(layout, simulated)
    comm.barrier()
    begin = perf_counter()
    after = letkf.analyse(before, observations)
    seconds = max(comm.allgather(perf_counter() - begin))
    peak = sum(comm.allgather(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)) / KIB_PER_GIB
    truth, exchange = planet.truth(layout), after.details["exchange"]
    return Analysed(
        ranks=comm.size,
        variables=planet.variables,
        seconds=seconds,
        peak_gib=peak,
        rmse_before=_rmse(before.fields["x"], truth, layout),
        rmse_after=_rmse(after.fields["x"], truth, layout),
        digest=digest(after.fields["x"], layout),
        sent_bytes=max(comm.allgather(int(exchange["bytes"]))),
        messages=max(comm.allgather(int(exchange["messages"]))),
    )


def local_filter() -> LETKF:
    """Return the filter; what members would show after the analysis is not asked for."""
    near = {"radius": RADIUS_KM, "distance": "km"}
    return LETKF(LETKFOptions.model_validate({"localization": near, "at_observations": "forecast"}))


def _rmse(members: Tensor, truth: Tensor, layout: Layout) -> float:
    squares = tree_sum((tree_sum(members) / len(members) - truth).square())
    return float((layout.gather(squares).sum() / (layout.n_global * len(truth))).sqrt())


def digest(members: Tensor, layout: Layout) -> str:
    """Return a hash of all members' cells, the same for any number of ranks that hold the same bits."""
    cells = np.ascontiguousarray(np.moveaxis(members.numpy(), -1, 0))
    mine = np.frombuffer(b"".join(sha256(cell.tobytes()).digest()[:8] for cell in cells), dtype=np.int64)
    everyone = np.concatenate(layout.comm.allgather_array(mine))
    owned = np.concatenate(layout.comm.allgather_array(layout.owned))
    return sha256(everyone[np.argsort(owned, kind="stable")].tobytes()).hexdigest()


def main() -> None:
    """Print the figures of one run on the ranks of the world."""
    comm = as_communicator(world(Launch.of(os.environ), Mpi.AUTO))
    run(comm, Planet(rows=18, columns=36, levels=2, observations=3000))  # what is compiled is compiled now
    found = run(comm, Planet())
    if comm.rank == 0:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main()
