"""Settings of an external model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    model_validator,
)

from tradewind.couplers.coupling.fields import Kind
from tradewind.plugins.options import FOLDER, Options, RelativePath


class Keep(StrEnum):
    """Which run directories stay."""

    NEVER = "never"
    FAILED = "failed"
    ALWAYS = "always"


class NetCDF(StrEnum):
    """Format of the netCDF files that are made; files of the template keep their own."""

    CLASSIC = "classic"
    OFFSET = "64bit"
    NETCDF4 = "netcdf4"


class AtStart(StrEnum):
    """Where a restart file comes from before the first step."""

    TEMPLATE = "template"
    ABSENT = "absent"


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise ValueError(f"{name!r} is no file of a run directory, give a name such as output.nc")
    return str(path)


def _word(value: object) -> object:
    return str(value) if isinstance(value, Path) or type(value) in {int, float} else value


def _program_beside_config(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Take a program that is a path relative to the folder of the run config, as all paths are."""
    folder = (info.context or {}).get(FOLDER)
    if folder is None or not words or "/" not in words[0]:
        return words
    return (str(Path(folder) / Path(words[0]).expanduser()), *words[1:])


FileName = Annotated[str, AfterValidator(_inside)]
"""A file of the run directory."""
Word = Annotated[str, BeforeValidator(_word)]
"""A word of a command; YAML reads some as numbers."""
Words = Annotated[tuple[Word, ...], AfterValidator(_program_beside_config)]
"""A command without shell: a program and its arguments."""
Command = Annotated[Words, Field(min_length=1)]


class GridFile(Options):
    """A grid in a netCDF file: CF, UGRID, SCRIP, ESMF mesh or GRIDSPEC; `variable` where it holds several."""

    file: RelativePath
    variable: str | None = None


class VariableOptions(Options):
    """A variable of the model, in its own files.

    Attributes
    ----------
    file
        File of the run directory.
    variable
        Its name in there; that of the variable when absent.
    units
        Units in the coupling.
    file_units
        Units in the file; `units` when absent.
    grid
        Where it lives: ``model`` (the model's grid), ``none``, or one of its own.
    extra
        Names and lengths of the dimensions before those of the grid, such as ``{level: 6}``.
    record
        ``last``: in the file, a time dimension of any length comes first, and the last record counts.
    """

    file: FileName
    variable: str | None = None
    units: str
    file_units: str | None = None
    kind: Kind = Kind.STATE_INTENSIVE
    grid: Literal["model", "none"] | GridFile = "model"
    extra: dict[str, PositiveInt] = Field(default_factory=dict)
    record: Literal["last"] | None = None


class StateOptions(VariableOptions):
    """A variable of the model's restart files.

    Attributes
    ----------
    output
        File from which its new value is read; `file` when absent.
    initial
        Value at the start; that of the template's file when absent.
    """

    output: FileName | None = None
    initial: float | None = None


class ParameterOptions(VariableOptions):
    """A parameter, by default of no place.

    Attributes
    ----------
    default
        Value until something is put.
    """

    grid: Literal["model", "none"] | GridFile = "none"
    default: float | None = None


class RestartFile(Options):
    """A file that carries the model's memory from step to step, whatever is in it.

    Attributes
    ----------
    file
        What the model reads.
    output
        What it writes; `file` when absent.
    at_start
        Before the first step: that of the template, or absent (a cold start).
    """

    file: FileName
    output: FileName | None = None
    at_start: AtStart = AtStart.TEMPLATE


class DerivativeOptions(Options):
    """A program that answers for the model's derivative, in a run directory like the model's.

    Attributes
    ----------
    command
        Program and arguments.
    launcher
        As the model's, which serves when absent.
    given, found
        netCDF files with the derivatives that it reads and writes.
    """

    command: Command
    launcher: Words | None = None
    given: FileName = "given.nc"
    found: FileName = "found.nc"


class ExternalOptions(Options):
    """Settings of an external model.

    Attributes
    ----------
    command
        Program and arguments, without shell. A path is relative to the run config; a bare name is a file of
        the template, or else a program of the search path.
    launcher
        What comes before it, such as ``[mpiexec, -n, 4]``.
    template
        Folder that every run directory begins as.
    rendered
        Files of it, or patterns such as ``*.nml``, in which placeholders are replaced.
    grid
        Grid of the variables.
    restart
        Files that carry memory beyond the state variables.
    environment
        Variables to set for the model.
    timeout
        Seconds after which an attempt is given up; None: never.
    retries
        How often a failed attempt is repeated.
    at_once
        How many members, or derivatives, run at the same time.
    keep
        Which run directories stay.
    scratch
        Folder for run directories and restart files; that of the system when absent.
    netcdf
        Format of the files that are made.
    linear
        Whether exports and new state are linear in imports and state.
    adjoint, tangent
        Programs for derivatives.
    """

    command: Command
    launcher: Words = ()
    template: RelativePath
    rendered: tuple[str, ...] = ()
    grid: GridFile | None = None
    imports: dict[str, VariableOptions] = Field(default_factory=dict)
    exports: dict[str, VariableOptions] = Field(default_factory=dict)
    state: dict[str, StateOptions] = Field(default_factory=dict)
    parameters: dict[str, ParameterOptions] = Field(default_factory=dict)
    restart: tuple[RestartFile, ...] = ()
    environment: dict[str, Word] = Field(default_factory=dict)
    timeout: PositiveFloat | None = None
    retries: NonNegativeInt = 0
    at_once: PositiveInt = 1
    keep: Keep = Keep.FAILED
    scratch: RelativePath | None = None
    netcdf: NetCDF = NetCDF.OFFSET
    linear: bool = False
    adjoint: DerivativeOptions | None = None
    tangent: DerivativeOptions | None = None

    @model_validator(mode="after")
    def _complete(self) -> ExternalOptions:
        roles = (self.imports, self.exports, self.state, self.parameters)
        placed = [name for role in roles for name, v in role.items() if v.grid == "model"]
        if placed and self.grid is None:
            raise ValueError(
                f"{', '.join(placed)} live on the model's grid: give grid, or grid: none for them"
            )
        if self.tangent is not None and self.adjoint is None:
            raise ValueError("a tangent alone serves no method: give adjoint too")
        return self
