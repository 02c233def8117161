"""Settings of the filters."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, field_validator

from tradewind.couplers.distances import Distance
from tradewind.plugins.options import Options


class Taper(StrEnum):
    """How the weight of an observation falls with its distance d, up to the radius.

    Attributes
    ----------
    GASPARI_COHN
        Their fifth-order polynomial (1999, eq. 4.10), which reaches 0 at the support.
    BOXCAR
        1 as far as the radius.
    EXPONENTIAL
        ``exp(-d / support)``.
    """

    GASPARI_COHN = "gaspari-cohn"
    BOXCAR = "boxcar"
    EXPONENTIAL = "exponential"


class Scale(StrEnum):
    """How heights are compared: as they are, or by their logarithms, as pressures may be."""

    LINEAR = "linear"
    LOG = "log"


class AtObservations(StrEnum):
    """What a local filter leaves in `Ensemble.simulated`.

    Attributes
    ----------
    ANALYSED
        What each member would show, analysed as a point at the observation's own place would be.
    FORECAST
        What was given: spares as many local analyses as there are observations.
    """

    ANALYSED = "analysed"
    FORECAST = "forecast"


class Adaptive(Options):
    """An inflation that is learnt from innovations (Li et al. 2009; Miyoshi 2011), cycle by cycle."""

    initial: PositiveFloat = Field(default=1.0, description="Factor on the forecast variance at first.")
    error: PositiveFloat = Field(
        default=0.04, description="Standard deviation of the factor as it stands, before it is learnt from."
    )
    lowest: PositiveFloat = Field(default=1.0, description="The factor never falls below.")
    highest: PositiveFloat = Field(default=10.0, description="The factor never exceeds.")


class Inflation(Options):
    """Ways to widen an ensemble; all may be combined, in the order in which they stand here."""

    forecast: float = Field(
        default=1.0, ge=1.0, allow_inf_nan=False, description="Factor on the spread before each analysis."
    )
    forget: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Forgetting factor: divides the forecast variance."
    )
    adaptive: Adaptive | None = Field(
        default=None, description="Factor on the forecast variance that is learnt from innovations."
    )
    rtpp: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Relaxation to the forecast's perturbations: their share."
    )
    rtps: float = Field(
        default=0.0, ge=0.0, le=2.0, description="Relaxation to the forecast's spread: its share."
    )
    analysis: PositiveFloat = Field(
        default=1.0, allow_inf_nan=False, description="Factor on the spread after each analysis."
    )


def _widened(value: Any) -> Any:
    return {"forecast": value} if isinstance(value, int | float) else value


Widening = Annotated[Inflation, BeforeValidator(_widened, json_schema_input_type=float | Inflation)]
"""An `Inflation`; a number stands for its `forecast`."""


class FilterOptions(Options):
    """What all ensemble filters can be told."""

    inflation: Widening = Field(
        default=Inflation(), description="How the ensemble is widened; a number: factor before each analysis."
    )
    rotation: Literal["none", "random"] = Field(
        default="none", description="Random: mixes analysed perturbations, and keeps mean and covariance."
    )
    seed: int = Field(default=0, ge=0, description="Of what is random, together with the analysis' number.")


class ETKFOptions(FilterOptions):
    """Settings of the ensemble transform Kalman filter."""


class ESTKFOptions(FilterOptions):
    """Settings of the error-subspace transform Kalman filter."""


class FiniteSizeOptions(FilterOptions):
    """Settings of the finite-size filter."""

    certainty: PositiveFloat = Field(
        default=1.0,
        description="How sure one is of the members' spread, as if N were that many times larger.",
    )

    @field_validator("inflation")
    @classmethod
    def _finds_its_own(cls, inflation: Inflation) -> Inflation:
        if inflation.adaptive is not None:
            raise ValueError("adaptive: this filter finds its own")
        return inflation


class Vertical(Options):
    """Localisation in the vertical; weights in the horizontal and in the vertical are multiplied."""

    radius: PositiveFloat = Field(description="Where the weight becomes 0, in the units of `levels`.")
    taper: Taper = Field(default=Taper.GASPARI_COHN, description="How the weight falls.")
    scale: Scale = Field(
        default=Scale.LINEAR, description="Log: distances, and the radius, are those of logarithms."
    )


class Localization(Options):
    """Which observations an analysis sees, and with which weight their inverse variances enter."""

    radius: NonNegativeFloat = Field(description="No observation farther than this is seen.")
    taper: Taper = Field(default=Taper.GASPARI_COHN, description="How the weight falls with distance.")
    distance: Distance = Field(default=Distance.KM, description="Unit of the radius.")
    support: PositiveFloat | None = Field(
        default=None, description="Where Gaspari and Cohn's taper ends, or the e-folding length; else radius."
    )
    least: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="Observations of at most this weight do not count; 0: all do.",
    )
    vertical: Vertical | None = Field(default=None, description="Localisation in the vertical.")


class LocalOptions(FilterOptions):
    """What filters with one analysis a place can be told."""

    localization: Localization = Field(description="Which observations each place sees.")
    points_per_analysis: PositiveInt = Field(
        default=1, description="Neighbouring cells, by their number, that share an analysis."
    )
    at_observations: AtObservations = Field(
        default=AtObservations.ANALYSED, description="What `simulated` holds after an analysis."
    )


class LETKFOptions(LocalOptions):
    """Settings of the local ensemble transform Kalman filter."""


class LESTKFOptions(LocalOptions):
    """Settings of the local error-subspace transform Kalman filter."""


class AnywhereOptions(LocalOptions):
    """What filters can be told that work with and without localisation."""

    localization: Localization | None = Field(  # type: ignore[assignment]
        default=None, description="Which observations each place sees; by default, all."
    )


class EnKFOptions(AnywhereOptions):
    """Settings of the filter with perturbed observations."""


class DEnKFOptions(AnywhereOptions):
    """Settings of the deterministic filter."""


class EAKFOptions(FilterOptions):
    """Settings of the serial ensemble adjustment filter."""

    localization: Localization | None = Field(
        default=None, description="Which observations each place sees; by default, all."
    )
