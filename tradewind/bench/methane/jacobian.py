"""What one Jacobian costs by each of its sources, for the same columns on one thread, timed in turns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from tradewind.bench.inversion.jacobian import speedups

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

NAMES = {
    "jacobian_speedup": "jacobian_speedup_emulator",
    "jacobian_speedup_batched": "jacobian_speedup_batched",
    "jacobian_speedup_adjoint": "jacobian_speedup_adjoint",
    "jacobian_columns": "jacobian_columns",
    "emulator_ms_per_column": "jacobian_emulator_ms_per_column",
    "jacobian_seconds_one_by_one": "jacobian_seconds_one_by_one",
    "jacobian_seconds_emulator": "jacobian_seconds_emulator",
}


def figures(progress: Progress) -> dict[str, Any]:
    """Return the costs of reference runs one by one, in batches, and of the adjoint, over the emulator's.

    Takes about half a minute.
    """
    advance = progress("the cost of a Jacobian", 1)
    with one_thread():
        found = speedups()
    advance()
    return {new: found[old] for old, new in NAMES.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread, which is all that compiled loops use."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
