"""``tradewind bench methane``: every figure of the complete methane inversion, recomputed on the spot."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress

PARTS = ("jacobian", "layers", "solving", "twins", "networks", "totals", "footprints")
"""Modules beside this one; each has ``figures(progress)``."""


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object."""
    found: dict[str, Any] = {}
    step = progress("benchmark methane", len(PARTS))
    for part in PARTS:
        found |= import_module(f"tradewind.bench.methane.{part}").figures(progress)
        step()
    return found
