"""Settings of the solvers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from tradewind.plugins.options import Duration, Options

Factors = Annotated[tuple[PositiveFloat, ...], Field(min_length=1)]
Gamma = PositiveFloat | Literal["auto"]
WEIGHT = "Weight of the observations; auto: the largest up to 1 with J_A/n <= 1."
KEEP = "Keep K of each window in the posterior's details."


class Form(StrEnum):
    """In which space the normal equations are solved."""

    INFORMATION = "information"
    GAIN = "gain"
    LOW_RANK = "low-rank"


class EnsembleOptions(Options):
    """Hyper-parameters whose combinations are solved from the same products."""

    prior_error: Factors = Field(default=(1.0,), description="Factors on the prior's errors.")
    observation_error: Factors = Field(default=(1.0,), description="Factors on the observations' errors.")
    gamma: Factors | None = Field(default=None, description="Weights; default: that of the inversion.")
    boundary_error: Factors = Field(
        default=(1.0,), description="Factors on the prior's errors of elements named boundary."
    )


def _pair(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"bounds are two numbers, [least, greatest], not {value!r:.40}")
    return value


Bound = Annotated[float, Field(allow_inf_nan=False)] | None


class InterpolationOptions(Options):
    """Settings of the optimal interpolation."""

    gamma: Gamma = Field(default=1.0, description=WEIGHT)
    keep_jacobian: bool = Field(default=False, description=KEEP)


class AnalyticalOptions(InterpolationOptions):
    """Settings of the analytical inversion."""

    jacobian: Literal["auto", "adjoint", "runs", "one-by-one", "model-runs"] = Field(
        default="auto", description="How K is made: rows by the adjoint, or columns by runs."
    )
    batch: PositiveInt = Field(default=4096, description="Rows of K that are held at a time.")
    form: Form = Field(default=Form.INFORMATION, description="Space in which the equations are solved.")
    rank: PositiveInt = Field(default=200, description="Of low-rank: directions that are kept.")
    oversampling: int = Field(default=10, ge=0, description="Of low-rank: further directions looked for.")
    seed: int = Field(default=0, ge=0, description="Of low-rank: seed of its random projections.")
    bounds: Annotated[tuple[Bound, Bound], BeforeValidator(_pair)] | None = Field(
        default=None, description="Between what factors stay: [least, greatest], null for none."
    )
    damping: PositiveFloat = Field(
        default=10.0, description="Of lognormal elements: the first step's, Levenberg-Marquardt."
    )
    convergence: PositiveFloat = Field(
        default=1e-6, lt=1.0, description="Of lognormal elements: largest relative change of the last step."
    )
    ensemble: EnsembleOptions | None = Field(
        default=None, description="Hyper-parameters to be varied, all combinations; default: none."
    )
    every: Duration | None = Field(
        default=None, description="Kalman mode: length of the periods; default: all windows at once."
    )
    nudge: float = Field(
        default=0.1, ge=0.0, le=1.0,
        description="Of the Kalman mode: how far the next prior is pulled back to the first.",
    )  # fmt: skip
    carry_covariance: bool = Field(
        default=False, description="Of the Kalman mode: the next prior's errors follow from the posterior's."
    )

    @model_validator(mode="after")
    def _fits(self) -> AnalyticalOptions:
        if self.bounds is not None and self.form is not Form.INFORMATION:
            raise ValueError(f"bounds need `form: information`, not {self.form}")
        if self.bounds is not None and self.carry_covariance:
            raise ValueError("an element at a bound has no error to carry: bounds, or carry_covariance")
        low, high = self.bounds or (None, None)
        if low is not None and high is not None and low >= high:
            raise ValueError(f"nothing lies between {low:g} and {high:g}")
        if self.every is None and self.model_fields_set & {"nudge", "carry_covariance"}:
            raise ValueError("nudge and carry_covariance belong to the Kalman mode, see `every`")
        return self
