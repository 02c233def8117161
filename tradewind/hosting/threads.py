"""How many threads a rank of a host computes with."""

from __future__ import annotations

import os
from collections.abc import Mapping


def threads(asked: int | None, environment: Mapping[str, str] | None = None) -> int:
    """Return the number of threads of this rank.

    Parameters
    ----------
    asked
        ``run.threads`` of the config.
    environment
        In which ``OMP_NUM_THREADS`` is looked for; None: that of this process.

    Returns
    -------
    What was asked for, else ``OMP_NUM_THREADS``, else the cpus that this rank is pinned to, where these are
    fewer than the machine has. A rank that is pinned nowhere gets one: its neighbours want the others.
    """
    if asked is not None:
        return asked
    known = os.environ if environment is None else environment
    told = known.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if told.isdigit() and int(told) > 0:
        return int(told)
    pinned = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return pinned if 0 < pinned < (os.cpu_count() or 1) else 1
