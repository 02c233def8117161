"""Settings of the filters."""

from __future__ import annotations

from pydantic import Field

from tradewind.plugins.options import Options


class ETKFOptions(Options):
    """Settings of the ensemble transform Kalman filter."""

    inflation: float = Field(
        default=1.0, ge=1.0, allow_inf_nan=False, description="Factor on the spread before each analysis."
    )
