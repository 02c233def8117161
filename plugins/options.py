"""The base of a plugin's options model, and paths that are relative to the run config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

FOLDER = "folder"


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
