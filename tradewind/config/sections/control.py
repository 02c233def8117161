"""What an inversion may change: ``control:`` of a run config."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, PositiveFloat

from tradewind.config.sections.section import Section
from tradewind.config.sections.values import At
from tradewind.plugins.options import RelativePath


class Per(StrEnum):
    """What one element of the control scales."""

    CELL = "cell"
    CLUSTER = "cluster"
    REGION = "region"
    TOTAL = "total"


class ControlSection(Section):
    """What the inversion may change, and how well it is known beforehand."""

    field: At
    per: Per = Per.CELL
    prior_error: float = Field(
        gt=0, allow_inf_nan=False, strict=True, description="Standard deviation, as a fraction of the prior."
    )
    correlation_km: PositiveFloat | None = Field(
        default=None, description="Length of the exponential correlation of elements; default: independent."
    )
    tile: PositiveFloat = Field(default=2.0, le=180, description="Side of the clusters' tiles, degrees.")
    regions: RelativePath | None = Field(
        default=None, description="netCDF file with an integer variable `region` on the field's grid."
    )
