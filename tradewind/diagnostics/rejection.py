"""Observations that were not used, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tradewind.couplers.assimilation.departures import USED
from tradewind.diagnostics.sample import Sample


def rejected(sample: Sample) -> Mapping[str, int]:
    """Return how many observations of `sample` were rejected, by reason, the most frequent first."""
    return dict(Counter(reason for reason in sample.reason.tolist() if reason != USED).most_common())
