"""Values at a place: stations, ships, aircraft in a field without levels."""

from __future__ import annotations

from tradewind.couplers.ranks.layout import Layout
from tradewind.plugins.observations.options import PointOptions
from tradewind.plugins.observations.sampled import Sampled


class PointOperator(Sampled):
    """Operator ``point``: an export without levels, read at places at the end of a window."""

    def __init__(self, options: PointOptions, layout: Layout) -> None:
        super().__init__(options, layout, options.units)
