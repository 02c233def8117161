"""What is observed: ``observations:`` of a run config."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, NonNegativeFloat, PositiveFloat

from tradewind.config.sections.section import Section
from tradewind.config.sections.values import AtSome, Duration, Settings
from tradewind.couplers.distances import Distance


class ErrorKernel(StrEnum):
    """How the correlation of errors falls with distance."""

    EXPONENTIAL = "exponential"
    GAUSSIAN = "gaussian"
    MATERN = "matern"


class Uncertainty(StrEnum):
    """What the uncertainty of one observation holds, when several are joined to one."""

    INSTRUMENT = "instrument"
    TOTAL = "total"


class ThinSection(Section):
    """Of several observations in one box, the one nearest to its centre is kept."""

    length: PositiveFloat = Field(allow_inf_nan=False, description="Side of a box.")
    distance: Distance = Field(default=Distance.KM, description="Unit of the length, and how it is measured.")
    time: Duration | None = Field(
        default=None, description="Length of a box in time, from the window's start; default: the window."
    )


class SuperobsSection(ThinSection):
    """Observations in one box are averaged to one."""

    correlation: float = Field(
        default=0.55, ge=0, le=1, description="Correlation r of the errors within a box."
    )
    transport_error: NonNegativeFloat = Field(
        default=0.0, allow_inf_nan=False, description="Error s_t that averaging does not lessen."
    )
    uncertainty: Uncertainty = Field(
        default=Uncertainty.INSTRUMENT,
        description="Whether the uncertainty of one observation is without transport_error, or the total.",
    )


class ErrorCorrelationSection(Section):
    """How errors of observations go together."""

    length: PositiveFloat = Field(allow_inf_nan=False, description="Length L of the kernel.")
    kind: ErrorKernel = Field(default=ErrorKernel.EXPONENTIAL, description="The kernel.")
    distance: Distance = Field(default=Distance.KM, description="Unit of the length, and how it is measured.")
    smoothness: PositiveFloat | None = Field(default=None, description="Of a Matérn kernel; default: 3/2.")
    time: Duration | None = Field(
        default=None, description="Length of an exponential correlation in time; default: none is apart."
    )


class ErrorSection(Section):
    """Errors of observations, besides what the file says."""

    inflation: PositiveFloat = Field(
        default=1.0, allow_inf_nan=False, description="Factor on all standard deviations."
    )
    correlation: ErrorCorrelationSection | None = Field(
        default=None, description="Errors that know of each other; default: they do not."
    )


class RejectSection(Section):
    """The background check: observations too far from what is simulated beforehand are not used."""

    departure: PositiveFloat = Field(
        allow_inf_nan=False, description="Times the standard deviation of the departure that are too far."
    )
    background_error: PositiveFloat | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Standard deviation of what is simulated; default: the spread of the members.",
    )


class ObservationsSection(Section):
    """What is observed, and of which variable."""

    operator: str
    of: AtSome | None = Field(
        default=None,
        description="Which variable; of a list, the sum of all. Default: what feeds no exchange.",
    )
    name: str | None = Field(default=None, description="What it is called; default: as the operator.")
    options: Settings = Field(default_factory=dict)
    thin: ThinSection | None = Field(default=None, description="Fewer of them; default: all.")
    superobs: SuperobsSection | None = Field(default=None, description="Means over boxes; default: none.")
    error: ErrorSection = ErrorSection()
    reject: RejectSection | None = Field(default=None, description="The background check; default: none.")
