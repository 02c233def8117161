"""Settings that observation operators share."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, NonNegativeFloat, NonNegativeInt

from tradewind.plugins.options import Options, RelativePath


class Sampling(StrEnum):
    """How a field is read at a place."""

    CELL = "cell"
    BILINEAR = "bilinear"
    NEAREST = "nearest"


class InTime(StrEnum):
    """How a field is read at a time."""

    END = "end"
    LINEAR = "linear"


class FlagOptions(Options):
    """A variable that tells which observations are good."""

    variable: str = Field(description="Name or standard name of whole numbers, one an observation.")
    good: tuple[int, ...] = Field(default=(0,), description="Values of observations that may be used.")


class SoundingOptions(Options):
    """Which observations are read from a file, and which of them are used."""

    file: RelativePath = Field(description="netCDF file (CF) of observations along one dimension.")
    variable: str = Field(description="Name or standard name of what was observed.")
    uncertainty: str | None = Field(
        default=None, description="Its standard deviation; by default the variable's name + _uncertainty."
    )
    background: str | None = Field(
        default=None, description="Part of it that was in the air before the window; by default none."
    )
    tolerance: NonNegativeFloat | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Seconds by which an observation may miss the end of a step; by default a minute, or a "
        "third of a step where that is less.",
    )
    between: tuple[float, float] | None = Field(
        default=None, description="Least and greatest value that is used, in the observed variable's units."
    )
    max_uncertainty: float | None = Field(
        default=None, gt=0, description="Greatest uncertainty that is used, in the same units."
    )
    flag: FlagOptions | None = Field(default=None, description="A quality flag of the file.")


class SampledOptions(SoundingOptions):
    """How a field is compared with observations."""

    sampling: Sampling = Field(
        default=Sampling.CELL, description="Cell that holds the place, bilinear, or the nearest centre."
    )
    in_time: InTime = Field(
        default=InTime.END,
        description="At the end of the step that an observation falls on, or linear between two.",
    )


class ColumnOptions(SampledOptions):
    """Settings of the column operator."""

    variable: str = Field(default="xch4", description="Name or standard name of the column's mole fraction.")


class PointOptions(SampledOptions):
    """Settings of the point operator."""

    units: str | None = Field(
        default=None, description="Units that the observed variable must have; by default whatever it has."
    )
    level: NonNegativeInt | None = Field(
        default=None, description="Which level is read, from 0, of a variable that has levels."
    )
