"""Settings of the idealised models."""

from __future__ import annotations

from datetime import timedelta
from math import isfinite
from typing import Annotated, Any

from pydantic import Field, FiniteFloat, PlainValidator, WithJsonSchema, model_validator

from tradewind.plugins.options import Duration, Options, RelativePath
from tradewind.plugins.prescribed.options import GridOptions


def _one_or_all(value: Any) -> float | tuple[float, ...]:
    several = isinstance(value, list | tuple)
    found = list(value) if isinstance(value, list | tuple) else [value]
    for each in found:
        if isinstance(each, bool) or not isinstance(each, int | float) or not isfinite(each):
            raise ValueError(f"write one number, or a list with one for each cell, not {each!r:.40}")
    return tuple(float(each) for each in found) if several else float(found[0])


OneOrAll = Annotated[
    float | tuple[float, ...],
    PlainValidator(_one_or_all),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]}),
]
"""One number for all cells, or one for each."""


class StartOptions(Options):
    """What a model begins with.

    Attributes
    ----------
    initial
        One number for all cells, or a list with one for each.
    changes
        Other values of some cells, by their number from 0.
    file, variable
        A netCDF file in place of `initial`, and its variable, in any shape of as many values.
    """

    initial: OneOrAll | None = None
    changes: dict[Annotated[int, Field(ge=0)], FiniteFloat] = Field(default_factory=dict)
    file: RelativePath | None = None
    variable: str | None = None

    @model_validator(mode="after")
    def _one_start(self) -> StartOptions:
        if (self.file is None) != (self.variable is None):
            raise ValueError("file and variable go together")
        if self.file is not None and self.initial is not None:
            raise ValueError("a model begins with initial or with a file, not with both")
        return self


class Lorenz96Options(StartOptions):
    """Settings of the Lorenz-96 model."""

    size: int = Field(default=40, ge=4, strict=True, description="Number of points on the circle.")
    forcing: FiniteFloat = Field(default=8.0, description="F; also where all points begin by default.")
    substeps: int = Field(
        default=1, ge=1, strict=True, description="Runge-Kutta steps in a step of the component."
    )
    unit: Duration = Field(
        default=timedelta(days=5), description="What one unit of the model's time stands for."
    )


class ShiftOptions(StartOptions):
    """Settings of the model that shifts a field."""

    grid: GridOptions = Field(description="Where x lives, with rows and columns.")
    rows: int = Field(default=0, strict=True, description="Rows by which it moves at every step.")
    columns: int = Field(default=0, strict=True, description="Columns by which it moves at every step.")
    units: str = Field(default="1", pattern=r"\S", description="Of x.")
