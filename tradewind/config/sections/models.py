"""What a run config may say: every key, its type and its default."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from tradewind.config.sections.control import ControlSection
from tradewind.config.sections.exchanging import ExchangeSection
from tradewind.config.sections.observing import ObservationsSection
from tradewind.config.sections.rhythm import RestartSection, Rhythm
from tradewind.config.sections.section import Count, OneOrMany, Section
from tradewind.config.sections.solving import EnsembleSection, SolveSection
from tradewind.config.sections.values import At, Date, Duration, Endpoint, Settings
from tradewind.config.source import ConfigSource
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.output.asked import Matrices, Shown
from tradewind.plugins.options import RelativePath

SOURCE = "source"
Name = Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")]


class RunAs(StrEnum):
    """Who answers the steps of a component."""

    REFERENCE = "reference"
    SURROGATE = "surrogate"
    GUARDED = "guarded"
    SHADOW = "shadow"


class RunSection(Section):
    """The period, its coupling step, and what makes it reproducible."""

    calendar: Calendar = Field(
        default=Calendar.STANDARD, description="How long months are: as in the world, never leap, or 30 days."
    )
    start: Date
    stop: Date
    step: Duration
    sequence: tuple[Name, ...] | None = Field(
        default=None, description="Order of the components; default: as their exchanges imply."
    )
    window: Duration | None = Field(
        default=None, description="Length of the independent windows of an inversion; default: the whole run."
    )
    seed: int = Field(default=0, ge=0, strict=True, description="Seed of everything random in the run.")
    threads: Count | None = Field(default=None, description="Threads per rank; default: its share.")
    cache: RelativePath | None = Field(
        default=None,
        description="Folder that keeps the weights of the exchanges; default: they are made anew.",
    )
    restart: RestartSection | None = Field(
        default=None, description="Files from which a forward run can go on; default: none are written."
    )

    @field_validator("stop")
    @classmethod
    def _after_start(cls, stop: Date, info: ValidationInfo) -> Date:
        start = info.data.get("start")
        if start is not None and stop <= start:
            raise ValueError(f"stop ({stop}) must be after start ({start})")
        return stop

    @field_validator("step")
    @classmethod
    def _divides(cls, step: Duration, info: ValidationInfo) -> Duration:
        start, stop = info.data.get("start"), info.data.get("stop")
        if start is not None and stop is not None and (stop - start) % step:
            raise ValueError(f"the step ({step}) must divide the period ({stop - start})")
        return step

    @property
    def steps(self) -> int:
        """Number of coupling steps."""
        return (self.stop - self.start) // self.step


class PolicySection(Section):
    """A wrapper of a component's calls."""

    policy: str
    options: Settings = Field(default_factory=dict)


def _policy(value: object) -> object:
    return {"policy": value} if isinstance(value, str) else value


class ComponentSection(Section):
    """A component: its reference model, what may stand in for it, and who answers."""

    plugin: str
    surrogate: str | None = None
    run_as: RunAs = RunAs.REFERENCE
    step: Duration | None = Field(default=None, description="Its own step; default: that of the run.")
    options: Settings = Field(default_factory=dict)
    surrogate_options: Settings = Field(default_factory=dict)
    policies: tuple[Annotated[PolicySection, BeforeValidator(_policy)], ...] = ()

    @field_validator("run_as")
    @classmethod
    def _has_surrogate(cls, run_as: RunAs, info: ValidationInfo) -> RunAs:
        if run_as is not RunAs.REFERENCE and "surrogate" in info.data and info.data["surrogate"] is None:
            raise ValueError(f"{run_as} needs a surrogate, name one under `surrogate:`")
        return run_as


class OutputSection(Section):
    """Files to write."""

    file: RelativePath | None = None
    report: RelativePath | None = None
    jacobian: RelativePath | None = Field(
        default=None, description="File for the Jacobian of an inversion's observed component, by window."
    )
    fields: tuple[At, ...] = Field(
        default=(), description="Variables of components that a forward run writes into the file."
    )
    every: Rhythm | None = Field(
        default=None, description="How often fields are written; default: at every coupling interval."
    )
    regions: dict[str, RelativePath] = Field(
        default_factory=dict, description="Files of regions, by name, whose totals an inversion tells."
    )
    examples: Shown = Field(
        default=Shown.MADE, description="Whether an inversion shows a plume and a footprint."
    )
    matrices: Matrices = Field(
        default=Matrices.WRITTEN, description="Whether covariance and averaging kernel of x are written."
    )


class OnError(StrEnum):
    """What becomes of a host's call that fails, when it gave no status."""

    ABORT = "abort"
    RETURN = "return"


class HostSection(Section):
    """How the run serves a host model that has opened it."""

    on_error: OnError = Field(
        default=OnError.ABORT,
        description="What becomes of a failed call without a status: MPI_Abort, or its code is returned.",
    )
    record: RelativePath | None = Field(
        default=None, description="Folder that keeps what the host puts and gets; default: nothing is kept."
    )


class RunConfig(Section):
    """A run config, complete and consistent in itself; `source` says where each setting stands."""

    plugins: tuple[str, ...] = ()
    run: RunSection
    components: dict[Name, ComponentSection] = Field(min_length=1)
    exchanges: tuple[ExchangeSection, ...] = ()
    observations: Annotated[tuple[ObservationsSection, ...], OneOrMany(ObservationsSection)] = ()
    control: Annotated[tuple[ControlSection, ...], OneOrMany(ControlSection)] = ()
    solve: SolveSection | None = None
    ensemble: EnsembleSection | None = None
    output: OutputSection = OutputSection()
    host: HostSection = HostSection()
    _source: ConfigSource = PrivateAttr(default_factory=ConfigSource)

    def model_post_init(self, context: Any) -> None:
        """Take the source from the validation context."""
        if context is not None:
            self._source = context.get(SOURCE, self._source)

    @property
    def source(self) -> ConfigSource:
        """File and lines of the settings."""
        return self._source

    def imports_of(self, component: str) -> dict[str, Endpoint]:
        """Return, for each connected import of `component`, where it comes from."""
        return {e.target.variable: e.source for e in self.exchanges if e.target.component == component}
