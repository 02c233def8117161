"""How many threads a rank of a host computes with."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradewind.couplers.ranks.parallel import Communicator


def threads(asked: int | None, environment: Mapping[str, str] | None = None, *, sharing: int = 1) -> int:
    """Return the number of threads of this rank.

    Parameters
    ----------
    asked
        ``run.threads`` of the config.
    environment
        In which ``OMP_NUM_THREADS`` is looked for; None: that of this process.
    sharing
        How many ranks are pinned to the same cpus, as `ranks_sharing` tells.

    Returns
    -------
    What was asked for, else ``OMP_NUM_THREADS``, else this rank's share of the cpus that it is pinned to,
    where these are fewer than the machine has. A rank that is pinned nowhere gets one: its neighbours want
    the others.
    """
    if asked is not None:
        return asked
    known = os.environ if environment is None else environment
    told = known.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if told.isdigit() and int(told) > 0:
        return int(told)
    pinned = len(_cpus())
    return max(1, pinned // sharing) if 0 < pinned < (os.cpu_count() or 1) else 1


def ranks_sharing(comm: Communicator) -> int:
    """Return how many ranks of this node may run on a cpu of this rank, itself among them; collective.

    A batch system may pin a whole job to some cpus, and leave it to its ranks to share them.
    """
    node, cpus = platform.node(), _cpus()
    return (
        sum(other == node and not cpus.isdisjoint(theirs) for other, theirs in comm.allgather((node, cpus)))
        or 1
    )


def _cpus() -> set[int]:
    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else set()
