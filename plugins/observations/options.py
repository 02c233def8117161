"""Settings of the observation operators."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, NonNegativeFloat

from tradewind.plugins.options import Options, RelativePath


class Sampling(StrEnum):
    """How a field is read at a place."""

    CELL = "cell"
    BILINEAR = "bilinear"


class SampledOptions(Options):
    """Where observations are read from, and how a field is compared with them."""

    file: RelativePath = Field(description="netCDF file (CF) of observations along one dimension.")
    variable: str = Field(description="Name or standard name of what was observed.")
    uncertainty: str | None = Field(
        default=None, description="Its standard deviation; by default the variable's name + _uncertainty."
    )
    background: str | None = Field(
        default=None, description="Part of it that was in the air before the window; by default none."
    )
    sampling: Sampling = Field(default=Sampling.CELL, description="Cell that holds the place, or bilinear.")
    tolerance: NonNegativeFloat = Field(
        default=60.0,
        allow_inf_nan=False,
        description="Seconds by which an observation may miss the end of its window.",
    )


class ColumnOptions(SampledOptions):
    """Settings of the column operator."""

    variable: str = Field(default="xch4", description="Name or standard name of the column's mole fraction.")


class PointOptions(SampledOptions):
    """Settings of the point operator."""

    units: str = Field(description="Units of the observed export, to which the file's are converted.")
