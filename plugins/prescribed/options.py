"""Settings of the components `dataset`, `constant` and `function`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, PositiveFloat, PositiveInt, model_validator

from tradewind.plugins.options import Options, RelativePath

Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
"""A name of a variable: letters, digits and underscores."""
Numbers = FiniteFloat | Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
"""One number, or one for each level."""


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
    """Centres of cells from `start` to `stop`, both of them included."""

    start: FiniteFloat
    stop: FiniteFloat
    step: PositiveFloat


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
    lat: AxisOptions | tuple[FiniteFloat, ...] | None = None
    lon: AxisOptions | tuple[FiniteFloat, ...] | None = None

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


class DatasetOptions(Options):
    """Settings of fields that are read from files.

    Attributes
    ----------
    file
        CF netCDF files or Zarr stores: one, a list, or a pattern with ``*``.
    variables
        Names, or a mapping from exports to names in the file or to `VariableOptions`.
    """

    file: RelativePath | Annotated[tuple[RelativePath, ...], Field(min_length=1)]
    variables: (
        Annotated[tuple[Name, ...], Field(min_length=1)]
        | Annotated[dict[Name, str | VariableOptions], Field(min_length=1)]
    )
    time: TimeMethod | None = None
    at: Moment | None = None
    cycle: Cycle = Cycle.NONE
    stamps: Moment | None = None
    calendar: Dates = Dates.REFUSE
    scale: FiniteFloat = 1.0
    missing: Missing = Missing.REFUSE
    mask: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files and patterns."""
        return self.file if isinstance(self.file, tuple) else (self.file,)

    @property
    def asked(self) -> Mapping[str, VariableOptions]:
        """What is asked for, by the name of the export."""
        written = self.variables
        pairs = written.items() if isinstance(written, dict) else ((name, name) for name in written)
        return {k: self._complete(k, VariableOptions(name=v) if isinstance(v, str) else v) for k, v in pairs}

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

    levels: PositiveInt | Annotated[tuple[FiniteFloat, ...], Field(min_length=1)] | None = None

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
