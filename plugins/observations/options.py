"""Settings that observation operators share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    model_validator,
)

from tradewind.plugins.observations.reading.paths import found
from tradewind.plugins.options import Duration, Options, RelativePath


class FormatName(StrEnum):
    """How observations stand in a file."""

    CF = "cf"
    TROPOMI = "tropomi"
    GOSAT = "gosat"
    TABLE = "table"


class OnFailure(StrEnum):
    """What becomes of a run when one of its files cannot be used."""

    SKIP = "skip"
    STOP = "stop"


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

    file: Annotated[
        RelativePath | Annotated[tuple[RelativePath, ...], Field(min_length=1)],
        Field(description="Files of observations: one, a list, or a pattern with `*`."),
        AfterValidator(found),
    ]
    format: FormatName = Field(default=FormatName.CF, description="How observations stand in them.")
    on_failure: OnFailure | None = Field(
        default=None,
        description="Whether a file that cannot be used is skipped, and told, or stops the run; by default "
        "one of several is skipped.",
    )
    variable: str = Field(description="Name or standard name of what was observed.")
    uncertainty: str | None = Field(
        default=None, description="Its standard deviation; by default the variable's name + _uncertainty."
    )
    background: FiniteFloat | str | None = Field(
        default=None,
        description="Part of it that was in the air before the window: a variable, or a number in the "
        "observed variable's units; by default none.",
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
    quality: dict[str, tuple[FiniteFloat | None, FiniteFloat | None] | None] = Field(
        default_factory=dict,
        description="Least and greatest value, by variable of the file, of observations that are used; "
        "besides what the format refuses.",
    )

    @property
    def skips(self) -> bool:
        """Whether files that cannot be used are left out."""
        return (
            self.on_failure or (OnFailure.SKIP if len(self.files) > 1 else OnFailure.STOP)
        ) is OnFailure.SKIP

    @property
    def where(self) -> str:
        """The files, for messages."""
        first, *others = self.files
        return f"{first} and {len(others)} more" if others else str(first)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, in order."""
        return (self.file,) if isinstance(self.file, Path) else self.file


class PlacedOptions(SoundingOptions):
    """How a field is read at a place."""

    sampling: Sampling = Field(
        default=Sampling.CELL, description="Cell that holds the place, bilinear, or the nearest centre."
    )


class TimedOptions(SoundingOptions):
    """How a field is read at a time."""

    in_time: InTime = Field(
        default=InTime.END,
        description="At the end of the step that an observation falls on, or linear between two.",
    )


class LevelOptions(SoundingOptions):
    """How one level is read."""

    level: NonNegativeInt | None = Field(
        default=None, description="Which level is read, from 0, of a variable that has levels."
    )


class SampledOptions(PlacedOptions, TimedOptions):
    """How a field is compared with observations."""


class RetrievalOptions(Options):
    """Variables of the observation file that say what a retrieval makes of a profile."""

    weights: str = Field(description="Pressure weights by layer, or sub-columns of dry air (mol m-2).")
    averaging_kernel: str | None = Field(default=None, description="Kernel by layer; by default 1.")
    prior: str | None = Field(default=None, description="Prior profile, as mole fractions or sub-columns.")
    pressure: str | None = Field(
        default=None, description="Pressures of the layers; by default they are the variable's own layers."
    )
    edges: str | None = Field(
        default=None, description="Pressures between the layers, one more than these, in place of `pressure`."
    )
    surface_pressure: str | None = Field(
        default=None, description="Pressure at the ground, where the variable's levels are fractions of it."
    )
    levels: tuple[float, ...] | None = Field(
        default=None, description="Pressures of the variable's levels; by default its own."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.averaging_kernel is not None and self.prior is None:
            raise ValueError("an averaging kernel goes with a prior")
        if self.pressure is not None and self.edges is not None:
            raise ValueError("give the pressures of layers or those between them, not both")
        return self

    @property
    def named(self) -> dict[str, str]:
        """The variables that are there, by what they are."""
        every = {
            "weights": self.weights, "averaging kernel": self.averaging_kernel, "prior": self.prior,
            "pressure": self.pressure, "edges": self.edges, "surface pressure": self.surface_pressure,
        }  # fmt: skip
        return {what: name for what, name in every.items() if name is not None}


class ColumnOptions(SampledOptions):
    """Settings of the column operator."""

    variable: str = Field(default="xch4", description="Name or standard name of the column's mole fraction.")
    retrieval: RetrievalOptions | None = Field(
        default=None, description="Averaging kernel and pressure weights, of a variable by layer."
    )


class PointOptions(SampledOptions, LevelOptions):
    """Settings of the point operator."""

    units: str | None = Field(
        default=None, description="Units that the observed variable must have; by default whatever it has."
    )


class ProfileOptions(SampledOptions):
    """Settings of the profile operator."""

    vertical: str = Field(description="Name or standard name of the heights or pressures in the file.")
    levels: tuple[float, ...] | None = Field(
        default=None, description="The same of the variable's levels; by default its own."
    )
    surface_pressure: PositiveFloat | str | None = Field(
        default=None,
        description="Pressure at the ground, a variable or a number in the units of `vertical`, where the "
        "levels are fractions of it.",
    )
    scale_height: PositiveFloat | None = Field(
        default=None,
        description="H of an isothermal atmosphere, metres: heights z become fractions exp(-z/H) of the "
        "pressure at the ground.",
    )


class AreaMeanOptions(TimedOptions, LevelOptions):
    """Settings of the area-mean operator."""

    radius: PositiveFloat | None = Field(
        default=None, description="Of the cells around a place whose centres count, kilometres."
    )
    regions: RelativePath | None = Field(
        default=None, description="netCDF file with an integer variable `region` on the variable's grid."
    )
    region: str = Field(default="region", description="The region of each observation, in its own file.")


class TimeMeanOptions(PlacedOptions, LevelOptions):
    """Settings of the time-mean operator."""

    duration: Duration = Field(description="How long before an observation the mean begins.")


class FootprintOptions(SoundingOptions):
    """Settings of the footprint operator."""

    units: str = Field(description="Units of the observations.")
    footprint: str = Field(
        default="footprint", description="Sensitivities by observation, steps back if any, and cells."
    )
    lag: Duration | None = Field(
        default=None, description="Time between the footprints of one observation; by default a step."
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.format is not FormatName.CF:
            raise ValueError("footprints are read from files of format cf")
        return self


class FunctionOptions(TimedOptions):
    """Settings of the function operator."""

    code: RelativePath = Field(description="Python file.")
    function: str = Field(default="observe", description="Its function.")
    units: str | None = Field(
        default=None, description="Units of the observations; by default the observed variable's."
    )
    variables: tuple[str, ...] = Field(
        default=(), description="Further variables of the observation file that the function is given."
    )
