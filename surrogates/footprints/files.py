"""Files of footprint emulators: tensors by safetensors, everything else as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from tradewind.errors import CheckpointError
from tradewind.surrogates.checkpoint import Bounds, ErrorModel
from tradewind.surrogates.storage import (
    ENTRY,
    RETRAIN,
    check_finite,
    first_fault,
    read_entry,
    read_tensors,
    replace_file,
)

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 3
TENSOR = "knobs"


class FootprintHeader(BaseModel):
    """All that the file of a footprint emulator says.

    Attributes
    ----------
    format
        Version of this layout (1 is that of window networks, 2 that of column networks).
    surrogate
        What it is.
    parameters
        Number of parameters of all members together.
    members
        Number of plumes, which answer by their mean.
    knobs
        Names of a plume's parameters, in order.
    firmness
        Weight of their prior, chosen by hold-outs within the training.
    tracers
        Those that were learnt from.
    features
        What the domain is made of.
    training_period
        First and last hour (ISO 8601) that was learnt from.
    provenance, code_version, seed, scores
        Where the footprints come from, what wrote the file, and how it does on hours held out.
    domain
        Where it may be used.
    error
        Variance of the error of a cell: ``floor**2 + (relative * footprint)**2``, fitted on hours held out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[3] = 3
    surrogate: Literal["footprint-emulator"] = "footprint-emulator"
    parameters: int = Field(gt=0)
    members: int = Field(gt=0)
    knobs: tuple[str, ...]
    firmness: float = Field(ge=0)
    tracers: tuple[str, ...]
    features: tuple[str, ...]
    training_period: tuple[str, str]
    provenance: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    seed: int = 0
    scores: dict[str, FiniteFloat] = Field(default_factory=dict)
    domain: Bounds
    error: ErrorModel


def save_footprints(path: Path | str, knobs: Tensor, header: FootprintHeader) -> None:
    """Write parameters, shape ``(member, knob)``, and header in one step.

    Raises
    ------
    CheckpointError
        When the header does not describe them, one is not finite, or the folder cannot be written.
    """
    from safetensors.torch import save

    path, tensors = Path(path), {TENSOR: knobs.detach().contiguous()}
    _check_shape(tensors, header, path)
    check_finite(tensors, path)
    text = json.dumps(header.model_dump(mode="json"), allow_nan=False)
    replace_file(path, save(tensors, metadata={ENTRY: text}))


def read_footprint_header(path: Path | str) -> FootprintHeader:
    """Return the header alone, without loading torch.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, of another kind or of another version.
    """
    path = Path(path)
    values = json.loads(read_entry(path))
    version = values.get("format") if isinstance(values, dict) else None
    if version != FORMAT:
        what = f"has format {version!r}, footprint emulators have {FORMAT}"
        raise CheckpointError(what, where=str(path), hint="made for another surrogate?")
    try:
        return FootprintHeader.model_validate(values)
    except ValidationError as error:
        raise CheckpointError(f"has a faulty header: {first_fault(error)}", where=str(path)) from error


def load_footprints(path: Path | str, names: Sequence[str]) -> tuple[Tensor, FootprintHeader]:
    """Return parameters, shape ``(member, knob)``, and header.

    Parameters
    ----------
    names
        Of the parameters that this version knows, in order.

    Raises
    ------
    CheckpointError
        When the file cannot be read, or its parameters are others.
    """
    path = Path(path)
    header = read_footprint_header(path)
    if header.knobs != tuple(names):
        raise CheckpointError("holds other parameters than this version's", where=str(path), hint=RETRAIN)
    tensors = read_tensors(path)
    _check_shape(tensors, header, path)
    check_finite(tensors, path)
    return tensors[TENSOR], header


def _check_shape(tensors: dict[str, Tensor], header: FootprintHeader, path: Path) -> None:
    wanted = (header.members, len(header.knobs))
    found = {name: tuple(values.shape) for name, values in tensors.items()}
    if found != {TENSOR: wanted} or header.parameters != wanted[0] * wanted[1]:
        what = f"holds tensors {found}, its header says {header.parameters} parameters of shape {wanted}"
        raise CheckpointError(what, where=str(path), hint=RETRAIN)
