"""Hold-outs that do not leak: neighbouring hours are nearly copies, so they stay together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tradewind.errors import DataError
from tradewind.surrogates.footprints.observations import Hours, Words

BLOCK_HOURS = 24.0
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]


def blocks(hours: Hours, length: float = BLOCK_HOURS) -> Labels:
    """Return the number of each hour's block of `length` hours within its run, shape ``(hour,)``.

    A rest of less than half a block at a run's end belongs to the block before it.
    """
    found, first = np.zeros(len(hours), dtype=np.int64), 0
    for run in np.unique(hours.run):
        of_run = hours.run == run
        since = hours.time[of_run] - hours.time[of_run].min()
        count = max(1, round((float(since.max()) + 1) / length))
        found[of_run] = first + np.minimum(since // length, count - 1).astype(np.int64)
        first += count
    return _numbered(found)


def _numbered(labels: Labels) -> Labels:
    """Return labels from 0 without gaps."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def dealt(groups: Labels, count: int, seed: int | None = None) -> Labels:
    """Return a fold for each hour: groups are dealt in turn, in their order or in one drawn from `seed`.

    Raises
    ------
    DataError
        When there are fewer than two groups: then nothing can be held out.
    """
    known = np.unique(groups)
    if len(known) < 2:
        raise DataError("there is one block only, so none can be held out", where="footprints")
    order = np.arange(len(known)) if seed is None else np.random.default_rng(seed).permutation(len(known))
    place = np.empty(len(known), dtype=np.int64)
    place[order] = np.arange(len(known)) % min(count, len(known))
    return place[np.searchsorted(known, groups)]


def left_out(folds: Labels) -> Iterator[tuple[Flags, Flags]]:
    """Yield which hours are learnt from and which are told, for each fold."""
    for fold in np.unique(folds):
        yield folds != fold, folds == fold


def runs_left_out(run: Labels, tracer: Words) -> Iterator[tuple[Flags, Flags]]:
    """Yield the same with whole runs, learning only from other runs of the same tracer.

    A run without another of its tracer is passed over.
    """
    for one in np.unique(run):
        told = run == one
        learnt = ~told & np.isin(tracer, tracer[told])
        if learnt.any():
            yield learnt, told
