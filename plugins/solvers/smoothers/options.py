"""Settings of the ensemble smoothers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from tradewind.couplers.distances import Distance
from tradewind.plugins.filters.options import Taper
from tradewind.plugins.options import Options

if TYPE_CHECKING:
    from typing import Self

ROUNDING = 1e-3
"""How far the sum of given 1/alpha may be from 1: published coefficients have four digits."""


class Draws(StrEnum):
    """How members and perturbations of observations are drawn.

    Attributes
    ----------
    RANDOM
        Independently.
    CENTRED
        Independently; then their mean is taken away.
    EXACT
        Mean, covariance and independence of each other hold exactly in the sample (second-order exact
        sampling, Pham, 2001, doi 10.1175/1520-0493(2001)129<1194:SMFSDA>2.0.CO;2): for small problems,
        as it needs more members than elements and observations.
    """

    RANDOM = "random"
    CENTRED = "centred"
    EXACT = "exact"


class Failure(StrEnum):
    """What happens when simulations of a member are not finite.

    Attributes
    ----------
    STOP
        The run stops and names them.
    EXTRAPOLATE
        The member is run half (a quarter, an eighth) of its way from the centre of the ensemble, and what
        changes there is extrapolated; it is named in the notes. The run stops where that fails as well.
    """

    STOP = "stop"
    EXTRAPOLATE = "extrapolate"


class Linearisation(StrEnum):
    """Where the members of `ies` stand that give the sensitivities.

    Attributes
    ----------
    TRANSFORM
        As far apart as the posterior's, by the transform of the iteration.
    BUNDLE
        A tiny way from the mean: finite differences.
    """

    TRANSFORM = "transform"
    BUNDLE = "bundle"


class LocalisationOptions(Options):
    """How far an observation reaches: words and meaning are those of the local filters."""

    radius: PositiveFloat = Field(description="No element farther than this is changed.")
    taper: Taper = Field(default=Taper.GASPARI_COHN, description="How the weight falls with distance.")
    distance: Distance = Field(default=Distance.KM, description="Unit of the radius: km, degrees or plane.")
    support: PositiveFloat | None = Field(
        default=None,
        description="Where Gaspari and Cohn's taper ends, or the e-folding length.",
    )


class EnsembleOptions(Options):
    """What the ensemble smoothers have in common."""

    members: int = Field(default=40, ge=2, description="Number of members N.")
    draws: Draws = Field(default=Draws.CENTRED, description="random, centred or exact.")
    seed: int = Field(default=0, ge=0, description="Of all draws; that of the run where it is not given.")
    batch: PositiveInt = Field(default=16, description="Members that the model is given at once.")
    failure: Failure = Field(default=Failure.STOP, description="stop or extrapolate.")


class ESMDAOptions(EnsembleOptions):
    """Settings of the ensemble smoother with multiple data assimilation."""

    steps: PositiveInt = Field(default=4, description="Number of updates Na; each alpha is then Na.")
    inflation: tuple[PositiveFloat, ...] | None = Field(
        default=None, description="Every alpha, instead of steps; the sum of 1/alpha is 1."
    )
    truncation: float = Field(
        default=1.0, gt=0, le=1, description="Part of the simulations' variance that updates use."
    )
    localization: LocalisationOptions | None = Field(
        default=None, description="How far an observation reaches; none: everywhere."
    )

    @model_validator(mode="after")
    def _inflation_adds_up(self) -> Self:
        if self.inflation is not None and abs(sum(1 / a for a in self.inflation) - 1) > ROUNDING:
            total = sum(1 / a for a in self.inflation)
            raise ValueError(f"the sum of 1/alpha is {total:.6g}, and must be 1")
        return self

    @property
    def alphas(self) -> tuple[float, ...]:
        """The coefficients, scaled so that the sum of 1/alpha is 1 to rounding."""
        given = self.inflation or (float(self.steps),) * self.steps
        total = sum(1 / a for a in given)
        return tuple(a * total for a in given)


class IESOptions(EnsembleOptions):
    """Settings of the iterative ensemble smoother."""

    linearisation: Linearisation = Field(default=Linearisation.TRANSFORM, description="transform or bundle.")
    epsilon: PositiveFloat = Field(
        default=1e-4, description="Size of a bundle, as a part of the prior's spread."
    )
    iterations: PositiveInt = Field(default=10, description="Most Gauss–Newton steps.")
    tolerance: PositiveFloat = Field(
        default=1e-3, description="Converged when a step is shorter than this, in prior standard deviations."
    )
    halvings: int = Field(default=6, ge=0, description="How often a step that raises the cost is halved.")
