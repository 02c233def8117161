"""Settings of the solvers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveFloat

from tradewind.plugins.options import Options


class AnalyticalOptions(Options):
    """Settings of the analytical inversion."""

    gamma: PositiveFloat | Literal["auto"] = Field(
        default=1.0,
        description="Weight of the observations; auto: the largest up to 1 with J_A/n <= 1.",
    )
    keep_jacobian: bool = Field(
        default=False, description="Keep K of each window in the posterior's details."
    )
