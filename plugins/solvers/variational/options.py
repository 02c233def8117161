"""Settings of the variational methods."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, NonNegativeFloat, PositiveInt, model_validator

from tradewind.plugins.filters.options import Taper
from tradewind.plugins.options import Options, RelativePath
from tradewind.plugins.solvers.smoothers.options import LocalisationOptions


class Minimiser(StrEnum):
    """How the minimum is sought.

    Attributes
    ----------
    CG
        A number of outer loops, each of which minimises the quadratic cost of the model linearized anew.
    GAUSS_NEWTON
        The same until the gradient of the full cost is reduced, with inner loops no more exact than needed.
    LBFGS
        Limited-memory quasi-Newton steps on the full cost; needs adjoints only.
    """

    CG = "cg"
    GAUSS_NEWTON = "gauss-newton"
    LBFGS = "lbfgs"


class Uncertainty(StrEnum):
    """How the posterior covariance is made.

    Attributes
    ----------
    AUTO
        Exact up to `limit` elements, beyond that by Lanczos vectors.
    EXACT
        From the whole Hessian: as many products as the control has elements, or rows of K.
    LANCZOS
        From the vectors that the last inner loop has gone along.
    NONE
        Not at all.
    """

    AUTO = "auto"
    EXACT = "exact"
    LANCZOS = "lanczos"
    NONE = "none"


OUTER = {Minimiser.CG: 3, Minimiser.GAUSS_NEWTON: 20, Minimiser.LBFGS: 1}
"""Outer loops unless told otherwise."""


class VariationalOptions(Options):
    """Settings that all variational methods have."""

    minimiser: Minimiser = Field(default=Minimiser.CG, description="`cg`, `gauss-newton` or `lbfgs`.")
    outer: PositiveInt | None = Field(
        default=None,
        description="Outer loops at most; by default 3 with `cg`, 20 with `gauss-newton`; none with `lbfgs`.",
    )
    inner: PositiveInt = Field(
        default=100, description="Iterations of an inner loop at most; with `lbfgs` of the whole."
    )
    reduction: float = Field(
        default=1e-8, gt=0, lt=1, description="Where to stop: the gradient's norm over that at the start."
    )
    memory: PositiveInt = Field(default=10, description="Pairs of vectors that `lbfgs` remembers.")
    covariance: Uncertainty = Field(
        default=Uncertainty.AUTO, description="Of the posterior: `auto`, `exact`, `lanczos` or `none`."
    )
    limit: PositiveInt = Field(
        default=2000, description="Elements up to which matrices of the posterior are made."
    )

    @property
    def loops(self) -> int:
        """Outer loops at most."""
        return OUTER[self.minimiser] if self.outer is None else self.outer

    def way(self, p: int) -> Uncertainty:
        """Return how the covariance of `p` unknowns is made."""
        if self.covariance is not Uncertainty.AUTO:
            return self.covariance
        return Uncertainty.EXACT if p <= self.limit else Uncertainty.LANCZOS

    def products(self, outer: int, p: int) -> int:
        """Return how often K may be applied after `outer` loops, there and back, with `p` unknowns."""
        if self.minimiser is Minimiser.LBFGS:
            return 0
        last = outer == self.loops and self.way(p) is not Uncertainty.EXACT
        return 0 if last else 2 * self.inner


class FourDVarOptions(VariationalOptions):
    """Settings of `4dvar`."""


class ThreeDVarOptions(VariationalOptions):
    """Settings of `3dvar`."""


class Derivative(StrEnum):
    """What says how observations change with the control.

    Attributes
    ----------
    ADJOINT
        Tangent and adjoint of the model.
    ENSEMBLE
        Differences of the model's runs of the members: no adjoint is needed (4DEnVar).
    """

    ADJOINT = "adjoint"
    ENSEMBLE = "ensemble"


class Dynamics(StrEnum):
    """What happens to the controlled fields within a window.

    Attributes
    ----------
    RUN
        The model runs.
    STILL
        They are kept, as `3dvar` does.
    """

    RUN = "run"
    STILL = "still"


class EnVarOptions(VariationalOptions):
    """Settings of `envar`."""

    members: int = Field(default=40, ge=2, description="Members drawn from the control's prior.")
    seed: int = Field(default=0, ge=0, description="Of that draw.")
    file: RelativePath | None = Field(
        default=None, description="netCDF file with members `x (member, element)` instead of a draw."
    )
    static: NonNegativeFloat = Field(
        default=0.5, allow_inf_nan=False, description="Weight of the control's own covariance."
    )
    ensemble: NonNegativeFloat = Field(
        default=0.5, allow_inf_nan=False, description="Weight of the members' covariance."
    )
    localization: LocalisationOptions | None = Field(
        default=None, description="How far the members' covariance reaches; by default everywhere."
    )
    derivative: Derivative = Field(
        default=Derivative.ADJOINT, description="`adjoint`, or `ensemble` where the model has none."
    )
    dynamics: Dynamics = Field(
        default=Dynamics.RUN, description="`run`, or `still` to keep the fields through each window."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.static == 0 and self.ensemble == 0:
            raise ValueError("static and ensemble are both 0, so there is no background covariance")
        if self.derivative is Derivative.ENSEMBLE and (self.static or self.minimiser is Minimiser.LBFGS):
            what = "derivative: ensemble knows only the members' directions"
            raise ValueError(f"{what}: set static: 0, and another minimiser than lbfgs")
        if self.localization is not None and self.localization.taper is not Taper.GASPARI_COHN:
            raise ValueError(
                "a covariance is localised by gaspari-cohn: a boxcar would not leave it positive"
            )
        return self
