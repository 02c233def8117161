"""Fields in a model's netCDF files: written and read with units, shapes and missing values checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.coupling.units import Conversion, conversion
from tradewind.errors import DataError, ModelError, UnitsError
from tradewind.plugins.external.directory import filling, make_own, written
from tradewind.plugins.external.options import NetCDF, VariableOptions

if TYPE_CHECKING:
    from netCDF4 import Dataset
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

Mode: TypeAlias = Literal["r", "w", "a"]
Format: TypeAlias = Literal["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF4"]
FORMATS: dict[NetCDF, Format] = {
    NetCDF.CLASSIC: "NETCDF3_CLASSIC",
    NetCDF.OFFSET: "NETCDF3_64BIT_OFFSET",
    NetCDF.NETCDF4: "NETCDF4",
}
HEADER = 2**16
"""Bytes that a file needs beside its fields, at most."""
TIME = "time"
"""Dimension of records, where the model wants one."""


@dataclass(frozen=True)
class Place:
    """Where a variable stands in the files of a run directory.

    Attributes
    ----------
    name
        Of the variable in the file.
    units
        In the file; empty for derivatives, which are not looked at.
    into, back
        From our units to those of the file, and back.
    record
        Whether a time dimension comes first.
    """

    variable: Variable
    file: str
    name: str
    units: str
    into: Conversion
    back: Conversion
    record: bool = False

    @classmethod
    def of(cls, variable: Variable, options: VariableOptions, file: str = "") -> Place:
        """Return where a variable of the model stands.

        Raises
        ------
        UnitsError
            When the units of the file cannot become those of the coupling.
        """
        units = options.file_units or variable.units
        ways = conversion(variable.units, units), conversion(units, variable.units)
        name = options.variable or variable.name
        return cls(variable, file or options.file, name, units, *ways, options.record is not None)

    def derivative(self, role: str, file: str, scale: float) -> Place:
        """Return where the derivative of a variable stands: ``role_name`` in `file`, times `scale`."""
        factor = Conversion(scale, 0.0)
        return Place(self.variable, file, f"{role}_{self.variable.name}", "", factor, factor)

    @cached_property
    def dims(self) -> tuple[tuple[str, int], ...]:
        """Names and lengths of the dimensions in the file, without that of time."""
        grid = self.variable.grid
        cells = () if grid is None else tuple(zip(grid.dims, grid.shape, strict=True))
        return (*self.variable.extra, *cells)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the file, without time."""
        return tuple(length for _, length in self.dims)

    @property
    def flat(self) -> tuple[int, ...]:
        """Shape as the coupling has it: ``(*extra, cell)``, or ``(*extra,)`` without a grid."""
        grid = self.variable.grid
        extra = tuple(length for _, length in self.variable.extra)
        return extra if grid is None else (*extra, grid.size)

    def faults(self, values: NDArray[np.bool_]) -> int:
        """Return how many of the faulty values, shape `flat`, lie in active cells."""
        grid = self.variable.grid
        return int((values if grid is None else values & grid.mask).sum())

    def __str__(self) -> str:
        return f"{self.name} in {self.file}"


Values: TypeAlias = "Mapping[Place, Array]"


# ---------------------------------------------------------------------- writing
def write(run: Path, values: Sequence[tuple[Place, Array]], form: NetCDF) -> None:
    """Write fields of shape `Place.flat`, in our units, into the files of a run directory.

    A file that is there already keeps everything else that it holds.

    Raises
    ------
    DataError
        When a value in an active cell is missing or infinite, a variable that is there has another shape, or
        the disk is full.
    """
    for file in dict.fromkeys(place.file for place, _ in values):
        path = run / file
        fields = [(place, _in_file(place, value)) for place, value in values if place.file == file]
        with filling(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            make_own(path)
            _reserve(path, sum(value.nbytes for _, value in fields) + HEADER)
            with _opened(path, "a" if path.exists() else "w", FORMATS[form]) as ds:
                for place, value in fields:
                    _write(ds, place, value)


def _reserve(path: Path, size: int) -> None:
    """Find out whether there is room for so many bytes: where there is not, the netCDF library crashes."""
    part = path.with_name(f".{path.name}.room")
    try:
        with part.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    finally:
        part.unlink(missing_ok=True)


def _opened(path: Path, mode: Mode, form: Format = "NETCDF4") -> Dataset:
    from netCDF4 import Dataset

    try:
        return Dataset(path, mode, format=form)
    except OSError as error:
        if mode == "w":
            raise
        raise DataError(f"is no netCDF file that can be read: {error}", where=path.name) from error


def _in_file(place: Place, value: Array) -> Array:
    bad = ~np.isfinite(value)
    if count := place.faults(bad):
        where = f"cell {int(np.argmax(bad))} first" if value.ndim else "all of it"
        what = f"{count} missing or infinite values would be given to the model, {where}"
        raise DataError(what, where=str(place), hint="look at what feeds this import")
    scale, offset = place.into
    # cells that the grid masks out may hold anything, of which the model is given nothing
    return np.where(bad, 0.0, value * scale + offset).reshape(place.shape)


def _write(ds: Dataset, place: Place, value: Array) -> None:
    dims = [(TIME, 1), *place.dims] if place.record else list(place.dims)
    if place.name not in ds.variables:
        for name, length in dims:
            _dimension(ds, place, name, length)
        made = ds.createVariable(place.name, "f8", [name for name, _ in dims])
        if place.units:
            made.units = place.units
    variable = ds.variables[place.name]
    if place.units:
        _check_units(variable, place)
    _check_shape(variable, place)
    if place.record:
        variable[max(len(variable) - 1, 0)] = value
    else:
        variable[...] = value


def _dimension(ds: Dataset, place: Place, name: str, length: int) -> None:
    if name not in ds.dimensions:
        ds.createDimension(name, length)
    elif len(ds.dimensions[name]) != length and name != TIME:
        have = len(ds.dimensions[name])
        what = f"dimension {name!r} has {have} entries in the file, {length} are needed"
        raise DataError(what, where=str(place), hint="use another file for variables of another grid")


# ---------------------------------------------------------------------- reading
def read(run: Path, places: Iterable[Place]) -> dict[Place, Array]:
    """Return fields of shape `Place.flat`, in our units, from files that the model has just written.

    Raises
    ------
    ModelError
        When a file is not there, or is not of this run.
    DataError
        When a variable is missing, has another shape or type, or missing values in active cells.
    UnitsError
        When the file says other units than declared.
    """
    found = {}
    for place in places:
        refuse_unwritten(run / place.file)
        with _opened(run / place.file, "r") as ds:
            found[place] = _read(ds, place)
    return found


def read_template(template: Path, place: Place) -> Array:
    """Return the initial field of a state variable, from the template.

    Raises
    ------
    DataError
        As `read` does, and when the template lacks the file.
    """
    path = template / place.file
    if not path.is_file():
        hint = "put a restart file into the template, or give `initial`"
        raise DataError("the template lacks this file", where=str(path), hint=hint)
    with _opened(path, "r") as ds:
        return _read(ds, place)


def refuse_unwritten(path: Path) -> None:
    """Refuse an output that is absent, or that the model has found and not written."""
    if not path.exists():
        hint = "does the model write into its run directory, under this name?"
        raise ModelError("ended without writing its output", where=path.name, hint=hint)
    if not written(path):
        hint = "the file was there before the model ran, and it left it as it was"
        raise ModelError("ended without writing its output anew", where=path.name, hint=hint)


def _read(ds: Dataset, place: Place) -> Array:
    if place.name not in ds.variables:
        known = ", ".join(ds.variables) or "nothing"
        raise DataError("there is no such variable", where=str(place), hint=f"the file holds {known}")
    variable = ds.variables[place.name]
    _check_shape(variable, place)
    if place.units:
        _check_units(variable, place)
    raw = variable[-1] if place.record else variable[...]
    return _checked(place, raw)


def _checked(place: Place, raw: Any) -> Array:
    if np.asarray(raw).dtype.kind not in "iuf":
        raise DataError(f"holds {np.asarray(raw).dtype}, no numbers", where=str(place))
    value = np.ma.filled(np.ma.asarray(raw).astype(np.float64), np.nan).reshape(place.flat)
    bad = ~np.isfinite(value)
    if count := place.faults(bad):
        hint = "missing values may stand only in cells that the grid masks out"
        raise DataError(
            f"holds {count} missing or infinite values of {value.size}", where=str(place), hint=hint
        )
    scale, offset = place.back
    return np.asarray(np.where(bad, 0.0, value * scale + offset))


def _check_shape(variable: Any, place: Place) -> None:
    shape, dims = tuple(variable.shape), tuple(variable.dimensions)
    have = shape[1:] if place.record and shape else shape
    if have == place.shape and not (place.record and len(shape) == len(have)):
        return
    wanted = " x ".join(f"{name}={length}" for name, length in place.dims) or "one number"
    hint = "declare its grid and extra dimensions as they are"
    if not place.record and shape[1:] == place.shape:
        hint = "give `record: last` if its first dimension is time"
    found = " x ".join(f"{name}={length}" for name, length in zip(dims, shape, strict=True)) or "one number"
    after = " after time" if place.record else ""
    raise DataError(f"has {found}, declared is {wanted}{after}", where=str(place), hint=hint)


def _check_units(variable: Any, place: Place) -> None:
    said = str(getattr(variable, "units", "")).strip()
    if said and conversion_or_none(said, place.units) != Conversion(1.0, 0.0):
        what = f"the file says {said!r}, declared is {place.units!r}"
        raise UnitsError(what, where=str(place), hint="declare what the file says as `file_units`")


def conversion_or_none(source: str, target: str) -> Conversion | None:
    """Return how values in units `source` become values in units `target`, or None when they cannot."""
    try:
        return conversion(source, target)
    except UnitsError:
        return None
