"""Seeds that do not leak: random numbers from a seed, with the global stream left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's global random numbers from `seed` inside, and restore the stream afterwards.

    Networks draw their initial weights from the global stream, so build them inside.

    Parameters
    ----------
    seed
        Any integer.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
