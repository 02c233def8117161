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

from tradewind.bench.checkout import python

if TYPE_CHECKING:
    from numpy.typing import NDArray
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
        Of the analysis, the slowest rank's; and of its parts where the filter tells.
    peak_gib
        Resident memory at its highest, all ranks together.
    rmse_before, rmse_after
        Of the mean of the members, over all variables.
    digest
        Of all analysed members, cell by cell.
    received
        Bytes of observations that ranks were sent by others, and messages, the most of any rank.
    """

    ranks: int
    seconds: float
    peak_gib: float
    rmse_before: float
    rmse_after: float
    digest: str
    received_bytes: float
    messages: float


def figures() -> dict[str, Any]:
    """Return the figures of runs on one and two ranks, and those of the model of a thousand."""
    from tradewind.bench.assimilation import ranks_model

    alone, shared = measured(1), measured(2)
    return {
        "letkf_1m_variables": 1_000_000,
        "letkf_1m_seconds_1": alone.seconds,
        "letkf_1m_seconds_2": shared.seconds,
        "letkf_1m_peak_gib": max(alone.peak_gib, shared.peak_gib),
        "letkf_1m_rmse_before": alone.rmse_before,
        "letkf_1m_rmse_after": alone.rmse_after,
        "letkf_1m_rank_identical": int(alone.digest == shared.digest),
        "letkf_1m_bytes_2": shared.received_bytes,
        "letkf_1m_messages_2": shared.messages,
        "parallel_efficiency_2": alone.seconds / (2.0 * shared.seconds),
    } | ranks_model.figures(alone.seconds)


def measured(ranks: int) -> Analysed:
    """Return what a run on so many ranks found out."""
    printed = python(["-m", "tradewind.bench.assimilation.scaling"], ranks)
    return Analysed(**json.loads(printed.strip().splitlines()[-1]))


def run(comm: Communicator) -> Analysed:
    """Analyse once, and look at time, memory and result; every rank enters."""
    from tradewind.bench.assimilation.planet import Planet

    _analysed(Planet(rows=18, columns=36, levels=2, observations=2000), comm)  # compiles what is compiled
    planet = Planet()
    letkf, layout, before, observations = prepared(planet, comm)
    comm.barrier()
    begin = perf_counter()
    after = letkf.analyse(before, observations)
    seconds = max(comm.allgather(perf_counter() - begin))
    peak = sum(comm.allgather(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)) / KIB_PER_GIB
    truth = planet.truth(layout)
    rmse = (_rmse(fields["x"], truth, layout) for fields in (before.fields, after.fields))
    sent = (after.details.get(name, 0) for name in ("received_bytes", "messages"))
    return Analysed(
        comm.size, seconds, peak, *rmse, digest(after.fields["x"], layout),
        *(max(comm.allgather(float(number))) for number in sent),
    )  # fmt: skip


def prepared(planet: Any, comm: Communicator) -> tuple[Any, Layout]:
    """Return the filter, and the layout that gives every rank an equal share of its work."""
    from tradewind.assimilation.sharing import shared_layout
    from tradewind.plugins.filters.local.letkf import LETKF
    from tradewind.plugins.filters.options import LETKFOptions

    letkf = LETKF(LETKFOptions.model_validate({"localization": {"radius": RADIUS_KM, "distance": "km"}}))
    observations, _ = planet.seen(comm)
    return letkf, shared_layout(planet.grid, comm, letkf, observations)


def _rmse(members: Tensor, truth: Tensor, layout: Layout) -> float:
    from tradewind.couplers.ranks.parallel import tree_sum

    squares = tree_sum((tree_sum(members) / len(members) - truth).square())
    total = layout.gather(squares).sum()
    return float(np.sqrt(float(total) / (layout.n_global * len(truth))))


def digest(members: Tensor, layout: Layout) -> str:
    """Return a hash of all members' cells, the same for any number of ranks that hold the same bits."""
    cells: NDArray[np.float64] = np.ascontiguousarray(np.moveaxis(members.numpy(), -1, 0))
    mine = np.frombuffer(b"".join(sha256(cell.tobytes()).digest()[:8] for cell in cells), dtype=np.int64)
    everyone = layout.comm.allgather_array(mine)
    owners = layout.comm.allgather_array(layout.owned)
    whole = np.concatenate(everyone)[np.argsort(np.concatenate(owners), kind="stable")]
    return sha256(whole.tobytes()).hexdigest()


def main() -> None:
    """Print the figures of one run on the ranks of the world."""
    from tradewind.commands.launch import Launch, Mpi, world
    from tradewind.couplers.ranks.parallel import as_communicator

    comm = as_communicator(world(Launch.of(os.environ), Mpi.AUTO))
    found = run(comm)
    if comm.rank == 0:
        sys.stdout.write(json.dumps(asdict(found)) + "\n")


if __name__ == "__main__":
    main()
