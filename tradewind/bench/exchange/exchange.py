"""``tradewind bench exchange``: every figure of exchanges in time, recomputed on the spot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress


def figures(progress: Progress) -> dict[str, Any]:
    """Return all figures as one flat object."""
    from tradewind.bench.exchange import analytical, checkpointing, example, kills, overhead

    parts = (
        overhead.figures,
        lambda: {"analytical_error_max": max(analytical.errors().values())},
        checkpointing.figures, example.derivatives, example.budget, kills.figures,
    )  # fmt: skip
    found: dict[str, Any] = {}
    step = progress("benchmark exchange", len(parts))
    for part in parts:
        found |= part()
        step()
    return found
