"""What a thousand ranks would do: counted where it can be counted, times from constants measured here.

    T(P) = T(1) max_r(W_r) / W  +  latency * messages  +  (bytes received) / bandwidth

W_r is the filter's own estimate of the work of rank r's cells as they would be dealt. Messages and bytes are
those that the most loaded rank would get: observations within reach of its cells from their owners, and all
members of its cells from the ranks that step them, and back. Latency and bandwidth are those of two ranks of
this machine, which share its memory: a network has others, so the counts stand beside the seconds.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tradewind.assimilation.sharing import by_work
from tradewind.bench.assimilation.planet import OBSERVATION_BLOCK, Planet
from tradewind.bench.checkout import python
from tradewind.commands.launch import Launch, Mpi, world
from tradewind.couplers.assimilation.places import Distance, positions, to_straight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

RANKS = 1000
EXCHANGES = 50
SMALL, LARGE = 1, 1 << 20
"""Numbers in a message whose time is the latency, and in one whose time is the bandwidth's."""


def figures(seconds_alone: float) -> dict[str, Any]:
    """Return counts and seconds for `RANKS` ranks.

    Parameters
    ----------
    seconds_alone
        Of the same analysis on one rank, measured.
    """
    planet = Planet()
    link = json.loads(python(["-m", "tradewind.bench.assimilation.thousand"], 2).strip().splitlines()[-1])
    balance, needed, messages = counted(planet, RANKS)
    observed = needed * 8 * (planet.members + 6)
    cells = planet.variables / RANKS * planet.members * 8
    sent = 2 * min(planet.members, RANKS) + messages
    received = observed + 2 * cells
    compute = seconds_alone / RANKS * balance
    return {
        "model_ranks": RANKS,
        "model_latency_us": 1e6 * link["latency"],
        "model_bandwidth_gb_s": 1e-9 * link["bandwidth"],
        "model_work_max_over_mean": balance,
        "model_messages": sent,
        "model_bytes": received,
        "model_compute_seconds": compute,
        "model_exchange_seconds": link["latency"] * sent + received / link["bandwidth"],
        "model_efficiency": seconds_alone
        / (RANKS * (compute + link["latency"] * sent + received / link["bandwidth"])),
    }


def counted(planet: Planet, ranks: int) -> tuple[float, int, int]:
    """Return the greatest work over the mean, and observations and owners that a rank needs at most."""
    from tradewind.bench.assimilation.scaling import RADIUS_KM, local_filter

    grid = planet.grid
    lon, lat = grid.lon.reshape(-1), grid.lat.reshape(-1)
    work = local_filter().work(lon, lat, planet.everything)
    bounds = by_work(work, ranks, 1, grid.size)
    shares = np.add.reduceat(work, bounds[:-1])
    cells = positions(lon, lat, Distance.KM)
    observed = positions(*planet.places, Distance.KM)
    reach = to_straight(RADIUS_KM, Distance.KM)
    needed = [_within(observed, cells[a:b], reach) for a, b in pairwise(bounds)]
    owners = [len(np.unique(found // OBSERVATION_BLOCK)) for found in needed]
    return float(shares.max() / shares.mean()), max(len(found) for found in needed), max(owners)


def _within(observed: Array, cells: Array, reach: float) -> Index:
    """Return the observations in the box around some cells: a few more than those within reach."""
    low, high = cells.min(axis=0) - reach, cells.max(axis=0) + reach
    return np.flatnonzero(((observed >= low) & (observed <= high)).all(axis=1))


def main() -> None:
    """Print latency (s) and bandwidth (bytes/s) between two ranks."""
    comm = world(Launch.of(os.environ), Mpi.ON)
    latency, large = (_seconds(comm, length) for length in (SMALL, LARGE))
    if comm is not None and comm.Get_rank() == 0:
        told = {"latency": latency, "bandwidth": LARGE * 8 / large}
        sys.stdout.write(json.dumps(told) + "\n")


def _seconds(comm: Any, length: int) -> float:
    """Return the least time of a message to the other rank: half of there and back."""
    buffer, least, rank = np.zeros(length), np.inf, comm.Get_rank()
    for _ in range(EXCHANGES):
        comm.Barrier()
        begin = perf_counter()
        if rank == 0:
            comm.Send(buffer, 1)
            comm.Recv(buffer, 1)
        else:
            comm.Recv(buffer, 0)
            comm.Send(buffer, 0)
        least = min(least, perf_counter() - begin)
    return least / 2


if __name__ == "__main__":
    main()
