"""Runs loops on 1, 2, 3 and 4 ranks of one launch, and compares their bits: `loops_on_ranks.py paths...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from tradewind.assembly import assemble
from tradewind.assimilation import analysing, assimilate
from tradewind.results import AssimilationResult

WORLD = MPI.COMM_WORLD


def bits(result: AssimilationResult) -> list[Any]:
    """Return everything that must not depend on the number of ranks."""
    arrays = [
        a.numpy()
        for f in result.fields
        for a in (f.forecast, f.analysis, f.forecast_spread, f.analysis_spread)
    ]
    arrays += [value.numpy() for value in result.members.values()]
    for seen in result.departures:
        arrays += [
            seen.background,
            seen.analysis,
            seen.analysis_sigma,
            seen.rank,
            seen.coordinates["longitude"],
        ]
        arrays += [(seen.reason == "").astype(np.int64)]
    notes = [note for note in result.notes if "window" in note or "member" in note]
    return [*(a.tobytes() for a in arrays), *notes]


def on(ranks: int, path: Path) -> list[Any] | None:
    """Return the bits of a run on the first `ranks` ranks; None on the others."""
    comm = WORLD.Split(0 if WORLD.Get_rank() < ranks else MPI.UNDEFINED)
    return None if comm == MPI.COMM_NULL else bits(assimilate(assemble(path, (), comm)))


def main() -> None:
    """Print, for each config, whether all have the same bits."""
    for name in sys.argv[1:]:
        # observations in parts, even where there are few
        analysing.SHARED_FROM = 2000
        runs = [on(ranks, Path(name)) for ranks in (1, 2, 3, 4)]
        first = WORLD.bcast(runs[0])
        same = all(WORLD.allgather(all(run is None or run == first for run in runs)))
        if WORLD.Get_rank() == 0:
            sys.stdout.write(f"{name} {'same' if same else 'different'} of {len(first)}\n")
            sys.stdout.flush()


main()
