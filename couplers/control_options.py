"""Settings of a control, free of torch so that a run config can be checked without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradewind.errors import ConfigError, did_you_mean


class ControlOptions(BaseModel):
    """Settings of a scaled field beyond what every control has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tile: float = Field(default=2.0, gt=0, le=180, description="Side of a cluster's square tile in degrees.")
    regions: tuple[int, ...] | None = Field(
        default=None, description="Region of every cell in the grid's order; negative for none."
    )
    correlation_km: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Length of the exponential correlation of prior errors; by default they are independent.",
    )


def control_options(settings: Mapping[str, Any]) -> ControlOptions:
    """Return validated settings.

    Raises
    ------
    ConfigError
        With the first fault.
    """
    try:
        return ControlOptions.model_validate(dict(settings))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        known = did_you_mean(key, ControlOptions.model_fields)
        hint = known if first["type"] == "extra_forbidden" else ""
        raise ConfigError(f"{key!r}: {first['msg']}", where="control, options", hint=hint) from error
