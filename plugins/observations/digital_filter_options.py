"""Settings of the digital filter."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, PositiveFloat

from tradewind.plugins.options import Duration, Options


class DigitalFilterOptions(Options):
    """What the digital filter keeps, and how strongly states are drawn to it."""

    cutoff: Duration = Field(
        default=timedelta(hours=3), description="Shortest period that passes; at least two steps."
    )
    weight: PositiveFloat = Field(
        default=100.0,
        allow_inf_nan=False,
        description="Of the penalty, per squared unit of the variable: the cost has weight * |difference|².",
    )
