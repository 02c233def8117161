"""Settings of the components `dataset`, `constant` and `function`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainValidator,
    PositiveFloat,
    WithJsonSchema,
    model_validator,
)

from tradewind.plugins.options import Options, RelativePath

Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
"""A name of a variable: letters, digits and underscores."""


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"{what}, not {value!r:.40}")
    return float(value)


def _numbers(value: object, what: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"{what}, not {value!r:.40}")
    return tuple(_number(each, what) for each in value)


def _one_or_many(value: object) -> object:
    what = "write a number, or a list with one for each level"
    return _numbers(value, what) if isinstance(value, list | tuple) else _number(value, what)


def _counted_or_named(value: object) -> object:
    what = "write how many levels there are, or a list of their coordinates"
    if isinstance(value, list | tuple):
        return _numbers(value, what)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{what}, not {value!r:.40}")
    return value


# unions would be refused with one message for each of their types
MANY_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
Numbers = Annotated[
    float | tuple[float, ...],
    PlainValidator(_one_or_many),
    WithJsonSchema({"anyOf": [{"type": "number"}, MANY_NUMBERS]}),
]
"""One number, or one for each level."""
Levels = Annotated[
    int | tuple[float, ...],
    PlainValidator(_counted_or_named),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, MANY_NUMBERS]}),
]
"""How many levels, or the coordinates of each."""


class TimeMethod(StrEnum):
    """What a step is given of records in time."""

    LINEAR = "linear"
    NEAREST = "nearest"
    PREVIOUS = "previous"
    MEAN = "mean"


class Moment(StrEnum):
    """A place in a step, or in the interval that a record stands for."""

    START = "start"
    MIDDLE = "middle"
    END = "end"


class Cycle(StrEnum):
    """What comes after the last record."""

    NONE = "none"
    YEAR = "year"


class Dates(StrEnum):
    """What is made of records in another calendar than the run's."""

    REFUSE = "refuse"
    BY_DATE = "by_date"


class Missing(StrEnum):
    """What is made of missing values."""

    REFUSE = "refuse"
    ZERO = "zero"


class Nature(StrEnum):
    """Whether a variable is there, or moves in a time."""

    STATE = "state"
    FLUX = "flux"


class Extent(StrEnum):
    """Whether values hold at every place of a cell, or are amounts of the whole cell."""

    INTENSIVE = "intensive"
    EXTENSIVE = "extensive"


# ---------------------------------------------------------------------- grids
class BoxOptions(Options):
    """Outer edges of a box, degrees."""

    west: Annotated[float, Field(ge=-360, le=360)]
    east: Annotated[float, Field(ge=-360, le=360)]
    south: Annotated[float, Field(ge=-90, le=90)]
    north: Annotated[float, Field(ge=-90, le=90)]

    @model_validator(mode="after")
    def _ordered(self) -> BoxOptions:
        if self.east <= self.west or self.north <= self.south:
            raise ValueError("east must exceed west, and north south")
        return self


class AxisOptions(Options):
    """Centres of cells: from `start` to `stop`, both of them included, or one by one."""

    start: FiniteFloat | None = None
    stop: FiniteFloat | None = None
    step: PositiveFloat | None = None
    centres: tuple[FiniteFloat, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> AxisOptions:
        if bool(self.centres) == all(x is not None for x in (self.start, self.stop, self.step)):
            raise ValueError("an axis needs start, stop and step, or a list of centres")
        return self


def _axis(value: object) -> object:
    return {"centres": value} if isinstance(value, list | tuple) else value


Axis = Annotated[AxisOptions, BeforeValidator(_axis, json_schema_input_type=AxisOptions | list[float])]


class GridOptions(Options):
    """A grid, in one of three ways: that of a file, a box of equal cells, or axes.

    Attributes
    ----------
    file, variable
        Any file that `Grid.from_file` reads, and which of its variables is meant where it has several grids.
    region, spacing
        Outer edges, and the width of a cell in both directions, degrees: as those of the transport model.
    lat, lon
        Centres of cells, degrees: ``{start: , stop: , step: }`` or a list.
    """

    file: RelativePath | None = None
    variable: str | None = None
    region: BoxOptions | None = None
    spacing: PositiveFloat | None = None
    lat: Axis | None = None
    lon: Axis | None = None

    @model_validator(mode="after")
    def _one_way(self) -> GridOptions:
        given = {key for key in type(self).model_fields if getattr(self, key) is not None}
        if given not in ({"file"}, {"file", "variable"}, {"region", "spacing"}, {"lat", "lon"}):
            raise ValueError("a grid needs file (and variable), or region and spacing, or lat and lon")
        return self


# ---------------------------------------------------------------------- dataset
class VariableOptions(Options):
    """What is said of one variable of a dataset; what is not said, the file and the component say."""

    name: str | None = None
    kind: Nature | None = None
    extent: Extent | None = None
    units: str | None = None
    time: TimeMethod | None = None
    at: Moment | None = None
    scale: FiniteFloat | None = None
    missing: Missing | None = None


def _listed(value: object) -> object:
    return [value] if isinstance(value, str | Path) else value


def _by_export(value: object) -> object:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list | tuple):
        value = {name: {} for name in value}
    if not isinstance(value, dict):
        raise ValueError(f"write names, or a mapping from names, not {value!r:.40}")
    return {name: {"name": about} if isinstance(about, str) else about for name, about in value.items()}


class DatasetOptions(Options):
    """Settings of fields that are read from files.

    Attributes
    ----------
    file
        CF netCDF files or Zarr stores: one, a list, or a pattern with ``*``.
    variables
        Names, or a mapping from exports to names in the file or to `VariableOptions`.
    """

    file: Annotated[
        tuple[RelativePath, ...],
        Field(min_length=1),
        BeforeValidator(_listed, json_schema_input_type=Path | list[Path]),
    ]
    variables: Annotated[
        dict[Name, VariableOptions],
        Field(min_length=1),
        BeforeValidator(
            _by_export, json_schema_input_type=str | list[str] | dict[str, str | VariableOptions]
        ),
    ]
    time: TimeMethod | None = None
    at: Moment | None = None
    cycle: Cycle = Cycle.NONE
    stamps: Moment | None = None
    calendar: Dates = Dates.REFUSE
    scale: FiniteFloat = 1.0
    missing: Missing = Missing.REFUSE
    mask: str | None = None

    @property
    def asked(self) -> Mapping[str, VariableOptions]:
        """What is asked for, by the name of the export."""
        return {name: self._complete(name, said) for name, said in self.variables.items()}

    def _complete(self, export: str, own: VariableOptions) -> VariableOptions:
        general = {"name": export, "scale": self.scale, "missing": self.missing}
        general |= {"time": self.time, "at": self.at}
        return own.model_copy(update={k: v for k, v in general.items() if getattr(own, k) is None})


# ---------------------------------------------------------------------- constant and function
class FieldOptions(Options):
    """A field: its units, and what it measures."""

    units: Annotated[str, Field(pattern=r"\S")]
    kind: Nature = Nature.STATE
    extent: Extent = Extent.INTENSIVE


class ConstantField(FieldOptions):
    """A field of one number, or one for each level."""

    value: Numbers


class ConstantOptions(Options):
    """Settings of fields that are one number each."""

    grid: GridOptions
    fields: Annotated[dict[Name, ConstantField], Field(min_length=1)]


class PortOptions(FieldOptions):
    """An import or export of a function.

    Attributes
    ----------
    levels
        How many, or the coordinates of each.
    """

    levels: Levels | None = None

    @property
    def count(self) -> int | None:
        """How many levels there are; None without."""
        return len(self.levels) if isinstance(self.levels, tuple) else self.levels


class StateOptions(PortOptions):
    """A state variable of a function, and where it begins."""

    initial: Numbers

    @model_validator(mode="after")
    def _as_many(self) -> StateOptions:
        if isinstance(self.initial, tuple) and len(self.initial) != self.count:
            raise ValueError(f"{len(self.initial)} initial values for {self.count or 'no'} levels")
        return self


class ParameterOptions(Options):
    """A parameter of a function: one number for all cells, or (per: cell) one for each."""

    value: FiniteFloat
    units: str = "1"
    per: Literal["run", "cell"] = "run"


class FunctionOptions(Options):
    """Settings of a component that is a function of the user's.

    Attributes
    ----------
    file, function
        A Python file, and the name of a function in it.
    grid
        Where all fields live.
    differentiable
        False: no derivatives are asked of it.
    linear
        True: it is linear in state and imports.
    seed
        Of the random numbers that the function may draw.
    """

    file: RelativePath
    function: Name
    grid: GridOptions
    imports: dict[Name, PortOptions] = Field(default_factory=dict)
    exports: Annotated[dict[Name, PortOptions], Field(min_length=1)]
    state: dict[Name, StateOptions] = Field(default_factory=dict)
    parameters: dict[Name, ParameterOptions] = Field(default_factory=dict)
    differentiable: bool = True
    linear: bool = False
    seed: Annotated[int, Field(ge=0, strict=True)] = 0

    @model_validator(mode="after")
    def _apart(self) -> FunctionOptions:
        taken = self.parameters.keys() & {*self.imports, *self.exports, *self.state}
        if taken:
            raise ValueError(f"a parameter needs a name of its own, {min(taken)!r} is taken")
        return self
