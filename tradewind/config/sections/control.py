"""What an assimilation may change: ``control:`` of a run config."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    field_validator,
    model_validator,
)

from tradewind.config.sections.exchanging import Initial
from tradewind.config.sections.rhythm import Rhythm
from tradewind.config.sections.section import Count, Section
from tradewind.config.sections.values import At, Duration
from tradewind.couplers.distances import Distance
from tradewind.plugins.options import RelativePath


class Per(StrEnum):
    """What one element of the control changes."""

    CELL = "cell"
    CLUSTER = "cluster"
    REGION = "region"
    SITE = "site"
    TOTAL = "total"


class ChangeBy(StrEnum):
    """How an element changes the prior of its cells."""

    SCALE = "scale"
    ADD = "add"
    LOGNORMAL = "lognormal"
    BOUNDED = "bounded"


class PriorIs(StrEnum):
    """What of a lognormal prior the given field is."""

    MEDIAN = "median"
    MEAN = "mean"


class Kernel(StrEnum):
    """How a correlation falls with distance."""

    EXPONENTIAL = "exponential"
    GAUSSIAN = "gaussian"
    MATERN = "matern"
    DIFFUSION = "diffusion"


class CorrelationSection(Section):
    """How the errors of elements go together, in space and in time."""

    kind: Kernel = Field(default=Kernel.EXPONENTIAL, description="How the correlation falls with distance.")
    length: PositiveFloat | None = Field(
        default=None, description="Its length, in the unit of `distance`; default: independent in space."
    )
    distance: Distance = Field(default=Distance.KM, description="How distances are measured.")
    smoothness: PositiveFloat | None = Field(
        default=None, description="nu of matern (default 1.5) or diffusion (default: its least)."
    )
    samples: Count | None = Field(
        default=None,
        description="Of diffusion: vectors that estimate its variances; default: by size.",
    )
    between: float | None = Field(
        default=None,
        gt=-1,
        lt=1,
        description="Correlation with other entries that say the same, at one place; default: independent.",
    )
    time: Duration | None = Field(
        default=None, description="Length of the exponential correlation of periods; default: independent."
    )

    @field_validator("length", "smoothness")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value == float("inf"):
            raise ValueError("it is infinite, use per: total for errors that are all the same")
        return value

    @model_validator(mode="after")
    def _of_use(self) -> CorrelationSection:
        if self.length is None and self.time is None:
            raise ValueError("give a `length`, or a `time`, or both")
        if self.between is not None and self.length is None:
            raise ValueError("entries go together at a place and around it: `between` needs a `length`")
        if self.smoothness is not None and self.kind not in {Kernel.MATERN, Kernel.DIFFUSION}:
            raise ValueError(f"a kernel of kind {self.kind} has no smoothness to choose, use matern")
        if self.samples is not None and self.kind is not Kernel.DIFFUSION:
            raise ValueError("only diffusion estimates its variances by `samples`")
        if self.kind is Kernel.DIFFUSION and self.distance is Distance.PLANE:
            raise ValueError("diffusion goes over the sphere: distances in km or degrees")
        return self


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"bounds are two numbers, [least, greatest], not {value!r:.40}")
    return value


class ClustersSection(Section):
    """Elements of a region of interest, and of what lies around it."""

    count: Count | None = Field(default=None, description="Clusters inside; default: every cell is one.")
    buffer: NonNegativeInt = Field(
        default=0, description="Clusters outside; 0: what is outside keeps its prior."
    )
    inside: RelativePath | None = Field(
        default=None, description="The region: a netCDF mask or map, GeoJSON or a shapefile; default: all."
    )
    name: str | None = Field(default=None, description="Which region of the file; default: any of them.")
    seed: NonNegativeInt = Field(default=0, description="Of the first centres of the clusters.")

    @model_validator(mode="after")
    def _of_use(self) -> ClustersSection:
        if self.inside is None and (self.buffer or self.name is not None):
            raise ValueError("a `buffer` or a `name` belong to a region, give it as `inside`")
        return self


class ControlSection(Section):
    """What the assimilation may change, and how well it is known beforehand."""

    field: At
    per: Per = Per.CELL
    change: ChangeBy = Field(
        default=ChangeBy.SCALE, description="How an element changes the prior of its cells."
    )
    bounds: Annotated[tuple[FiniteFloat, FiniteFloat], BeforeValidator(_pair)] | None = Field(
        default=None, description="For bounded: what the field stays between, in its units."
    )
    prior: Initial | None = Field(
        default=None, description="In the field's units; default: what the component says."
    )
    prior_is: PriorIs = Field(
        default=PriorIs.MEDIAN, description="Of lognormal: what the prior is, the median or the mean."
    )
    prior_error: float = Field(
        gt=0, allow_inf_nan=False, strict=True,
        description="Standard deviation: a fraction (scale), in the field's units (add), of log or logit.",
    )  # fmt: skip
    correlation: CorrelationSection | None = Field(
        default=None, description="How errors go together; default: independent."
    )
    correlation_km: PositiveFloat | None = Field(
        default=None, description="Short for an exponential correlation: its length, km."
    )
    every: Rhythm | None = Field(
        default=None, description="Elements of their own for each such period; default: the same throughout."
    )
    tile: PositiveFloat = Field(default=2.0, le=180, description="Side of the clusters' tiles, degrees.")
    clusters: ClustersSection | None = Field(
        default=None, description="For clusters: means of cells in and around a region; default: tiles."
    )
    regions: RelativePath | None = Field(
        default=None, description="For regions: a netCDF map, GeoJSON or a shapefile."
    )
    exclude_edge: NonNegativeFloat = Field(
        default=0.0,
        allow_inf_nan=False,
        description="Cells nearer to the grid's edge keep their prior, degrees.",
    )

    @model_validator(mode="after")
    def _fits(self) -> ControlSection:
        if (self.bounds is None) is (self.change is ChangeBy.BOUNDED):
            raise ValueError("`bounds` and `change: bounded` belong together")
        if self.bounds is not None and self.bounds[0] >= self.bounds[1]:
            raise ValueError(f"nothing lies between {self.bounds[0]:g} and {self.bounds[1]:g}")
        if self.prior_is is PriorIs.MEAN and self.change is not ChangeBy.LOGNORMAL:
            raise ValueError("`prior_is: mean` belongs to `change: lognormal`; others are symmetric")
        if self.correlation is not None and self.correlation_km is not None:
            raise ValueError("the correlation is given twice, remove `correlation_km`")
        if self.clusters is not None and self.per is not Per.CLUSTER:
            raise ValueError("`clusters` belong to `per: cluster`")
        if self.every is None and self.correlation is not None and self.correlation.time is not None:
            raise ValueError("a correlation in `time` needs periods, see `every`")
        return self
