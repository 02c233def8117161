"""What the file of a column network says about it: fields, scales, domain, error, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from tradewind.surrogates.checkpoint import Bounds

FORMAT = 2


class Kind(StrEnum):
    """Numbers that a network computes in, by their Fortran names."""

    REAL32 = "real32"
    REAL64 = "real64"


class ColumnField(BaseModel):
    """One field that a network takes or gives.

    Attributes
    ----------
    name, units, description
        Its CF name, its units, and what it is.
    size
        Length of its extra dimension; None: it has one number for each column.
    dimension
        Name of the extra dimension.
    mean, scale
        The network sees ``(field - mean) / scale``, and gives ``mean + scale * answer``: one number for all,
        or one for each entry of the extra dimension.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"\S", max_length=127)
    units: str = Field(pattern=r"\S", max_length=127)
    description: str = ""
    size: int | None = Field(default=None, ge=1)
    dimension: str = "level"
    mean: tuple[FiniteFloat, ...] = (0.0,)
    scale: tuple[FiniteFloat, ...] = (1.0,)

    @model_validator(mode="after")
    def _scales_fit(self) -> ColumnField:
        for name, given in (("mean", self.mean), ("scale", self.scale)):
            if len(given) not in {1, self.features}:
                raise ValueError(f"{self.name}: {len(given)} numbers as {name}, for {self.features} features")
        if any(s <= 0 for s in self.scale):
            raise ValueError(f"{self.name}: a scale is not positive")
        return self

    @property
    def features(self) -> int:
        """How many of a network's inputs or outputs it takes."""
        return self.size or 1

    @property
    def means(self) -> tuple[float, ...]:
        """One mean for each feature."""
        return self.mean if len(self.mean) == self.features else self.mean * self.features

    @property
    def scales(self) -> tuple[float, ...]:
        """One scale for each feature."""
        return self.scale if len(self.scale) == self.features else self.scale * self.features


class ColumnError(BaseModel):
    """Variance of the error of each output feature, ``floor**2 + (relative * value)**2``, in its units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    floor: tuple[FiniteFloat, ...]
    relative: tuple[FiniteFloat, ...]


class ColumnHeader(BaseModel):
    """All that the file of a column network says.

    Attributes
    ----------
    format
        Version of this layout (1 is that of window networks).
    network, options
        Kind of network and its constructor's options.
    kind
        Numbers that it computes in.
    parameters
        Number of its trainable parameters.
    inputs, outputs
        Fields in order: their features stand one after the other.
    domain
        Where it may be used, in the features of its inputs and their units; None: everywhere.
    error
        How far it may be wrong; None: nothing is known.
    training_period
        Date range (ISO 8601) of what it was trained on.
    provenance, code_version, seed, scores
        Where the samples come from, what wrote the file, and how it did on held-out samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[2] = 2
    network: str
    options: dict[str, Any] = Field(default_factory=dict)
    kind: Kind = Kind.REAL32
    parameters: int = Field(gt=0)
    inputs: tuple[ColumnField, ...] = Field(min_length=1)
    outputs: tuple[ColumnField, ...] = Field(min_length=1)
    domain: Bounds | None = None
    error: ColumnError | None = None
    training_period: tuple[str, str] | None = None
    provenance: dict[str, Any] = Field(default_factory=dict)
    code_version: str = ""
    seed: int | None = None
    scores: dict[str, FiniteFloat] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_whole(self) -> ColumnHeader:
        for role, fields in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [f.name for f in fields]
            if len(set(names)) < len(names):
                raise ValueError(f"{role} repeat a name: {', '.join(names)}")
        _check_domain(self.domain, features(self.inputs))
        if self.error is not None:
            _check_lengths("error", features(self.outputs), self.error.floor, self.error.relative)
        return self


def features(fields: Sequence[ColumnField]) -> int:
    """Return the number of features of some fields together."""
    return sum(f.features for f in fields)


def _check_domain(domain: Bounds | None, count: int) -> None:
    if domain is not None:
        _check_lengths("domain", count, domain.lower, domain.upper, domain.centre, domain.whitening)
        _check_lengths("domain.whitening", count, *domain.whitening)


def _check_lengths(what: str, count: int, *given: Sequence[object]) -> None:
    for one in given:
        if len(one) != count:
            raise ValueError(f"{what} has {len(one)} numbers for {count} features")
