"""The base of a plugin's options model, and types of single settings: paths, durations."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    WithJsonSchema,
)

FOLDER = "folder"
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
AMOUNT = r"(\d+(?:\.\d+)?)\s*(s|min|h|d)"
DURATION = rf"(?:{AMOUNT}\s*)+"


class Options(BaseModel):
    """Settings of a plugin: unknown keys are refused, values cannot be changed afterwards.

    Used as it is, it stands for a plugin that has no settings.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def _beside_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get(FOLDER)
    return path.expanduser() if folder is None else Path(folder) / path.expanduser()


RelativePath = Annotated[Path, AfterValidator(_beside_config)]
"""A path that is relative to the folder of the run config, unless it is absolute."""


def duration(text: object) -> object:
    """Return a text such as ``6h``, ``30min`` or ``1d 12h`` as a timedelta.

    Raises
    ------
    ValueError
        When it is anything else (an ISO 8601 duration is left to pydantic).
    """
    if isinstance(text, timedelta) or (isinstance(text, str) and text.startswith("P")):
        return text
    if not isinstance(text, str) or re.fullmatch(DURATION, text.strip()) is None:
        raise ValueError(f"{text!r} is not a duration, write for example 6h, 30min or 1d")
    return timedelta(seconds=sum(float(n) * SECONDS[unit] for n, unit in re.findall(AMOUNT, text)))


def _positive(length: timedelta) -> timedelta:
    if length <= timedelta(0):
        raise ValueError("a duration must be longer than nothing")
    return length


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    AfterValidator(_positive),
    WithJsonSchema({"type": "string", "examples": ["6h", "30min", "1d"]}),
]
"""A length of time, in a config ``6h``, ``30min``, ``1d 12h`` or ISO 8601."""
