"""Settings of the particle filter."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field, PositiveFloat

from tradewind.plugins.options import Options


class Jitter(StrEnum):
    """Widths of noise that are worked out.

    Attributes
    ----------
    MUSSO
        Best for a normal density of as many dimensions as the members span.
    """

    MUSSO = "musso"


class ParticleOptions(Options):
    """Settings of the particle filter."""

    threshold: float = Field(
        default=1.0, ge=0.0, le=1.0, description="Resample where the effective size is below this part of N."
    )
    jitter: PositiveFloat | Jitter | None = Field(
        default=None, description="Width h of the noise after resampling, in standard deviations; or musso."
    )
    seed: int = Field(default=0, ge=0, description="Of resampling and noise, with the analysis' number.")
