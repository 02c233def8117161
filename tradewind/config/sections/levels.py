"""``levels:`` of an exchange: which levels of an export make those of the import."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, FiniteFloat, StrictInt, model_validator

from tradewind.config.sections.section import Section
from tradewind.couplers.coupling.how import Along, Keep, Outside
from tradewind.errors import did_you_mean

Coordinates = tuple[FiniteFloat, ...]


def _several(value: object) -> object:
    """Return a single level as a list of one."""
    return [value] if isinstance(value, int) and not isinstance(value, bool) else value


class InterpolateSection(Section):
    """Levels are read between those of the export."""

    source: Coordinates | None = Field(
        default=None, alias="from", description="Coordinates of the export's levels; default: its own."
    )
    target: Coordinates | None = Field(
        default=None, alias="to", description="Coordinates of the import's levels; default: its own."
    )
    along: Along = Field(default=Along.LINEAR, description="What the interpolation is linear in.")
    outside: Outside = Field(default=Outside.REFUSE, description="What levels beyond the export's take.")


class LayersSection(Section):
    """Layers are means over, or shares of, those of the export."""

    source: Coordinates | None = Field(
        default=None, alias="from", description="Interfaces of the export's layers; default: its own."
    )
    target: Coordinates | None = Field(
        default=None, alias="to", description="Interfaces of the import's layers; default: its own."
    )
    keep: Keep = Field(default=Keep.MEAN, description="What values hold: per mass, or for whole layers.")
    outside: Outside = Field(default=Outside.REFUSE, description="What becomes of what lies beyond.")


class SumSection(Section):
    """One level, the sum over all."""

    weights: Coordinates | None = Field(default=None, description="One for each level; default: 1.")


class LevelsSection(Section):
    """From the levels of an export to those of the import: one of these."""

    select: Annotated[tuple[StrictInt, ...], BeforeValidator(_several), Field(min_length=1)] | None = Field(
        default=None, description="Numbers of levels, from 0; negative ones count from the last."
    )
    interpolate: InterpolateSection | None = None
    layers: LayersSection | None = None
    sum: SumSection | None = None

    @model_validator(mode="after")
    def _one(self) -> LevelsSection:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"levels by one of select, interpolate, layers, sum, not {len(given)}")
        return self


def levels_by_name(value: object) -> object:
    """Return ``sum``, ``interpolate`` or ``layers`` alone as a mapping, with nothing set."""
    short = ("interpolate", "layers", "sum")
    if not isinstance(value, str):
        return value
    if value not in short:
        raise ValueError(f"no levels {value!r}, " + did_you_mean(value, short))
    return {value: {}}
