"""Checkpoints: the weights of a network and all that is needed to trust them, in one safetensors file.

Nothing in a checkpoint is ever executed: tensors are plain numbers, the header is JSON, and the network is
built by a constructor of ours that the header names. Reading the header alone loads neither torch nor the
tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from tradewind.errors import CheckpointError
from tradewind.surrogates.storage import (
    ENTRY,
    RETRAIN,
    check_finite,
    check_keys,
    first_fault,
    read_entry,
    read_tensors,
    replace_file,
)

if TYPE_CHECKING:
    from tradewind.surrogates.networks import WindowNetwork

FORMAT = 1


class Quantity(BaseModel):
    """One input or output of a network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    units: str
    description: str = ""


class Scales(BaseModel):
    """The normalisation, as plain numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    output_scale: float = Field(1.0, gt=0)


class Bounds(BaseModel):
    """The domain of validity, as plain numbers (see `tradewind.surrogates.domain.Domain`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    centre: tuple[float, ...]
    whitening: tuple[tuple[float, ...], ...]
    distance: float = Field(gt=0)


class ErrorModel(BaseModel):
    """Variance of the error of one cell's fraction: ``floor**2 + (relative * fraction)**2``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    floor: float = Field(ge=0)
    relative: float = Field(ge=0)


class Recalibration(BaseModel):
    """A monotone, piecewise linear map of the fractions: `values` at `knots`, both ascending from 0."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    knots: tuple[float, ...]
    values: tuple[float, ...]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if len(self.knots) != len(self.values) or len(self.knots) < 2:
            raise ValueError(f"{len(self.knots)} knots and {len(self.values)} values")
        if self.knots[0] != 0.0 or self.values[0] != 0.0:
            raise ValueError("knots and values begin with 0")
        pairs = (*pairwise(self.knots), *pairwise(self.values))
        if any(b < a for a, b in pairs) or any(b == a for a, b in pairwise(self.knots)):
            raise ValueError("knots ascend, values do not descend")
        return self


class ErrorStructure(BaseModel):
    """Covariance of the errors; see `tradewind.surrogates.calibration.structure`.

    Attributes
    ----------
    root
        Square root of A, the covariance of the shapes' amplitudes, ``(12, shape)``.
    rest
        Weights of 1, f² and blur(f)² in the variance of what is left over.
    length, power
        L, in cells, and p: errors of two sources at a distance d have the correlation exp(-(d/L)^p).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    root: tuple[tuple[float, ...], ...]
    rest: tuple[float, float, float]
    length: float = Field(gt=0)
    power: float = Field(gt=0, le=2)


class Calibration(BaseModel):
    """How answers are put right on average, and how their errors hang together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recalibration: Recalibration
    structure: ErrorStructure


class CheckpointHeader(BaseModel):
    """All that a checkpoint says about its network.

    Attributes
    ----------
    format
        Version of this layout.
    network, options
        Kind of network and its constructor's options.
    parameters
        Number of trainable parameters.
    inputs, outputs
        Channels with their units, in order.
    normalisation
        Scales, fitted on the training set only.
    training_period
        Date range (ISO 8601) of the weather trained on.
    provenance
        Where the samples come from: names, hashes and the training plan.
    code_version
        Version of this package that wrote the file.
    seed
        Of the training.
    scores
        Scores on the held-out set, by name.
    domain
        Where the network may be used; absent when it was not fitted.
    error
        How far it may be wrong, cell by cell; absent when it was not fitted.
    calibration
        How its answers are put right on average and how its errors hang together; absent in older files.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    network: str
    options: dict[str, Any] = Field(default_factory=dict)
    parameters: int = Field(gt=0)
    inputs: tuple[Quantity, ...]
    outputs: tuple[Quantity, ...]
    normalisation: Scales
    training_period: tuple[str, str]
    provenance: dict[str, Any] = Field(default_factory=dict)
    code_version: str
    seed: int
    scores: dict[str, FiniteFloat] = Field(default_factory=dict)
    domain: Bounds | None = None
    error: ErrorModel | None = None
    calibration: Calibration | None = None


def save_checkpoint(path: Path, network: WindowNetwork, header: CheckpointHeader) -> None:
    """Write `network` and `header` to `path`, which is replaced only once the new file is complete.

    Raises
    ------
    CheckpointError
        When the header does not describe this network, a weight is not finite, or the folder cannot be
        written.
    """
    from safetensors.torch import save

    path = Path(path)
    _check_describes(network, header, path)
    tensors = {name: values.detach().contiguous() for name, values in network.state_dict().items()}
    check_finite(tensors, path)
    # JSON has no NaN, so a score that is not a number stops here rather than in somebody's parser
    text = json.dumps(header.model_dump(mode="json"), allow_nan=False)
    replace_file(path, save(tensors, metadata={ENTRY: text}))


def read_header(path: Path) -> CheckpointHeader:
    """Return the header alone, without loading torch or reading the tensors.

    Raises
    ------
    CheckpointError
        When the file is missing, truncated, of another kind or of another version.
    """
    path = Path(path)
    return _parse(read_entry(path), path)


def load_checkpoint(
    path: Path, known: Mapping[str, type[WindowNetwork]] | None = None
) -> tuple[WindowNetwork, CheckpointHeader]:
    """Return the network with its weights, in evaluation mode, and the header.

    Parameters
    ----------
    known
        Kinds of networks that may be built; the built-in ones by default.

    Raises
    ------
    CheckpointError
        When the file cannot be read, names another kind of network, or its tensors do not fit.
    """
    path = Path(path)
    header = read_header(path)
    network = _build(header, path, known)
    tensors = read_tensors(path)
    check_keys(network, tensors, path)
    check_finite(tensors, path)
    network.load_state_dict(tensors)
    _check_describes(network, header, path)
    return network.eval(), header


def _parse(entry: str, path: Path) -> CheckpointHeader:
    try:
        values = json.loads(entry)
        version = values.get("format") if isinstance(values, dict) else None
        if version != FORMAT:
            raise CheckpointError(
                f"has format {version!r}, this version reads {FORMAT}", where=str(path), hint=RETRAIN
            )
        return CheckpointHeader.model_validate(values)
    except ValidationError as error:
        raise CheckpointError(f"has a faulty header: {first_fault(error)}", where=str(path)) from error
    except json.JSONDecodeError as error:
        raise CheckpointError(f"has a faulty header: {error}", where=str(path)) from error


def _build(
    header: CheckpointHeader, path: Path, known: Mapping[str, type[WindowNetwork]] | None
) -> WindowNetwork:
    from tradewind.errors import DataError, SpecError
    from tradewind.surrogates.networks import NETWORKS, build_network
    from tradewind.surrogates.normalisation import Normalisation

    try:
        scales = Normalisation(**header.normalisation.model_dump())
        return build_network(header.network, header.options, scales, known or NETWORKS)
    except (CheckpointError, DataError, SpecError) as error:
        raise CheckpointError(str(error), where=str(path), hint=RETRAIN) from error


def _check_describes(network: WindowNetwork, header: CheckpointHeader, path: Path) -> None:
    from tradewind.surrogates.networks import parameter_count

    if header.network != network.name:
        raise CheckpointError(
            f"the header names the network {header.network!r}, the weights are of {network.name!r}",
            where=str(path),
        )
    count = parameter_count(network)
    if header.parameters != count:
        raise CheckpointError(
            f"the header says {header.parameters} parameters, the network has {count}", where=str(path)
        )
