"""Peak memory of regridding from ten million cells.

In a process of its own: ``python -m tradewind.bench.regridding.memory``.
"""

from __future__ import annotations

import resource
import sys

import torch

from tradewind.bench.regridding.grid_pairs import equal_angle
from tradewind.couplers.regrid.regridder import Regridder

SHAPE = (4480, 2240)
"""Columns and rows of 10.04 million cells."""


def regrid_once(nx: int, ny: int) -> None:
    """Make conservative weights from a global grid to 0.625 degrees, and apply them to one field."""
    regridder = Regridder.build(equal_angle(nx, ny), equal_angle(576, 288), "conservative", backend="native")
    regridder.forward(torch.ones(nx * ny, dtype=torch.float64))


def peak_gib() -> float:
    """Return the largest resident size of this process so far, GiB."""
    # Linux counts in KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Regrid and write the peak."""
    regrid_once(*SHAPE)
    sys.stdout.write(f"{peak_gib()}\n")


if __name__ == "__main__":
    main()
