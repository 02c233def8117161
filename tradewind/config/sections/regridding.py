"""``regrid:`` of an exchange: a method's name, or a mapping that also says what happens at its edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from tradewind.config.sections.section import Count, Section
from tradewind.couplers.regrid.scheme import (
    Creep,
    Extrapolation,
    InverseDistance,
    Method,
    NearestSource,
    Norm,
    PoleKind,
    Poles,
    Scheme,
)
from tradewind.errors import SpecError, did_you_mean

POLES = ("none", "allavg", "teeth")
LIMITS = (
    "limits are not linear, and an exchange carries adjoints: use LimitedRegridder from Python, "
    "or method: conservative, which never overshoots"
)


class Regrid(StrEnum):
    """How an exchange goes from one grid to another; ``none``: not at all, the grids are the same."""

    NONE = "none"
    BILINEAR = "bilinear"
    CONSERVATIVE = "conservative"
    CONSERVATIVE_2ND = "conservative_2nd"
    PATCH = "patch"
    NEAREST_S2D = "nearest_s2d"
    NEAREST_D2S = "nearest_d2s"


def _poles(value: object) -> Poles:
    """Return poles from ``none``, ``allavg``, ``teeth`` or ``{npntavg: 3}``."""
    if isinstance(value, Poles):
        return value
    if isinstance(value, Mapping) and list(value) == ["npntavg"]:
        return _averaged(value["npntavg"])
    if isinstance(value, str) and value in POLES:
        return Poles(PoleKind(value))
    raise ValueError(f"no poles {value!r:.40}, " + did_you_mean(str(value), [*POLES, "{npntavg: 3}"]))


def _averaged(points: object) -> Poles:
    if not isinstance(points, int) or isinstance(points, bool) or points < 1:
        raise ValueError(f"npntavg averages a whole number of points, not {points!r:.40}")
    return Poles(PoleKind.NPNTAVG, points)


PolesAt = Annotated[
    Poles,
    PlainValidator(_poles),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": list(POLES)},
                {
                    "type": "object",
                    "properties": {"npntavg": {"type": "integer", "minimum": 1}},
                    "required": ["npntavg"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""What stands beyond the last row of a grid that closes around a pole."""


class NearestSection(Section):
    """The nearest source: nothing to set."""


class InverseDistanceSection(Section):
    """The mean of the nearest sources, weighted by distance to the power of minus the exponent."""

    points: Count = 8
    exponent: float = Field(default=2.0, gt=0, allow_inf_nan=False)


class ExtrapolateSection(Section):
    """What target cells take that the method leaves unmapped: one of these."""

    nearest: NearestSection | None = None
    inverse_distance: InverseDistanceSection | None = None
    creep: Count | None = Field(default=None, description="Levels of neighbours.")

    @model_validator(mode="after")
    def _one(self) -> ExtrapolateSection:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"extrapolate by one of nearest, inverse_distance, creep, not {len(given)}")
        return self

    @property
    def value(self) -> Extrapolation:
        """The extrapolation that is meant."""
        if self.creep is not None:
            return Creep(self.creep)
        if self.inverse_distance is not None:
            return InverseDistance(self.inverse_distance.points, self.inverse_distance.exponent)
        return NearestSource()


def _extrapolate(value: object) -> object:
    short: dict[str, Any] = {"nearest": {}, "inverse_distance": {}, "creep": 1}
    if not isinstance(value, str):
        return value
    if value not in short:
        raise ValueError(f"no extrapolation {value!r}, " + did_you_mean(value, short))
    return {value: short[value]}


class RegridSection(Section):
    """How a field goes from one grid to another; what is not said here, the import's kind chooses."""

    method: Regrid | None = None
    norm: Norm | None = None
    poles: PolesAt | None = None
    extrapolate: Annotated[ExtrapolateSection, BeforeValidator(_extrapolate)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_limits(cls, value: object) -> object:
        if isinstance(value, Mapping) and "limits" in value:
            raise ValueError(LIMITS)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> RegridSection:
        if self.method is Regrid.NONE and (self.norm or self.poles or self.extrapolate):
            raise ValueError("with method: none nothing is regridded, remove the other keys")
        if self.method is not None and self.method is not Regrid.NONE:
            self.onto(Scheme(Method(self.method)))
        return self

    def onto(self, scheme: Scheme) -> Scheme:
        """Return `scheme` with what is said here in the place of its own.

        Raises
        ------
        ValueError
            When they do not go together.
        """
        extrapolation = scheme.extrapolation if self.extrapolate is None else self.extrapolate.value
        try:
            return replace(
                scheme,
                norm=self.norm or scheme.norm,
                poles=self.poles or scheme.poles,
                extrapolation=extrapolation,
            )
        except SpecError as error:
            raise ValueError(str(error)) from error


def by_name(value: object) -> object:
    """Return ``conservative`` as ``{method: conservative}``."""
    return {"method": value} if isinstance(value, str) else value
