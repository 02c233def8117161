"""The networks on one held-out set, as in the first example: scored side by side in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradewind.bench.inversion.networks import scores

if TYPE_CHECKING:
    from tradewind.couplers.assimilation import Progress


def figures(progress: Progress) -> dict[str, Any]:
    """Return parameters, errors, correlations and mass errors of every network."""
    return scores(progress)
