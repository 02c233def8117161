"""``tradewind regrid``: fields of a file on another grid, a part at a time, written whole or not at all."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from tradewind.commands.schemes import scheme
from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import agree, as_communicator
from tradewind.couplers.regrid.datasets.dataset import Plan, blocks, fields_of, grid_of, plan, skeleton
from tradewind.couplers.regrid.datasets.variables import Field, Handling, Integers
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import ConfigError, DataError, GridError
from tradewind.output.files import check_writable, replacing
from tradewind.provenance import version

if TYPE_CHECKING:
    from netCDF4 import Dataset

    from tradewind.commands.options import RegridOptions
    from tradewind.couplers.assimilation import Progress
    from tradewind.couplers.ranks.parallel import Communicator
    from tradewind.couplers.regrid.datasets.variables import Array, Place


@dataclass(frozen=True)
class Regridded:
    """What was done.

    Attributes
    ----------
    regridder
        The operator, in words.
    plan
        What became of each variable.
    """

    regridder: str
    plan: Plan

    def lines(self, out: Path) -> list[str]:
        """Return what to tell the user."""
        left_out = [f"left out: {name}, {why}" for name, why in self.plan.left_out.items()]
        carried = [f"carried over: {', '.join(self.plan.carried)}"] if self.plan.carried else []
        return [self.regridder, f"regridded: {', '.join(self.plan.regridded)}", *carried, *left_out, str(out)]


def regrid(asked: RegridOptions, world: object | None, progress: Progress) -> Regridded:
    """Regrid a file as asked; collective.

    Raises
    ------
    ConfigError
        Options that contradict each other.
    DataError
        Files that are missing, damaged, there already or cannot be written; nothing on the grid.
    GridError, SpecError
        See `Regridder.build` and `regrid_dataset`.
    """
    comm = as_communicator(world)
    with agree(comm, "tradewind regrid"):
        _refuse_contradictions(asked)
        for path in filter(None, (asked.out, asked.save_weights)):
            _refuse_existing(path, asked)
    with _opened(asked.source) as ds:
        regridder = _regridder(asked, _grid_in(ds, asked), comm)
        found = plan(regridder.source.grid, ds, _names(asked.variables))
        handling = Handling(
            asked.threshold, asked.fill, Integers.AS_NUMBERS if asked.integers else Integers.REFUSE
        )
        output = _Output(
            asked.out,
            _with_history(skeleton(regridder, ds, found)),
            fields_of(regridder, ds, found, handling),
            comm,
        )
        output.write(_pairs(asked.vectors), progress)
    if asked.save_weights is not None:
        with _replacing(asked.save_weights, comm) as part:
            regridder.to_file(part)
    return Regridded(_in_words(regridder), found)


def _in_words(regridder: Regridder) -> str:
    source, target = regridder.source.grid, regridder.target.grid
    return f"{source!r} -> {target!r}: {regridder.how.scheme}, backend {regridder.backend}"


def _refuse_contradictions(asked: RegridOptions) -> None:
    if asked.to is None and asked.weights is None:
        raise ConfigError(
            "no target grid", where="tradewind regrid", hint="name a file with --to or --weights"
        )
    choices = {
        "--method": asked.method, "--norm": asked.norm, "--poles": asked.poles,
        "--extrapolate": asked.extrapolate, "--cache": asked.cache,
    }  # fmt: skip
    given = [name for name, value in choices.items() if value is not None]
    if asked.weights is not None and given:
        raise ConfigError(
            f"{', '.join(given)}: the weights of {asked.weights} are made already", where="tradewind regrid"
        )


def _refuse_existing(path: Path, asked: RegridOptions) -> None:
    check_writable(path)
    read = {p.resolve() for p in (asked.source, asked.to, asked.weights) if p is not None}
    if path.resolve() in read:
        raise DataError("is read by this command", where=str(path), hint="write to another file")
    if path.exists() and not asked.overwrite:
        raise DataError("exists already", where=str(path), hint="--overwrite replaces it")


@contextmanager
def _opened(path: Path) -> Iterator[xr.Dataset]:
    """Open a file whose values are read when they are needed; times stay the numbers that they are."""
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    try:
        ds = xr.open_dataset(path, engine="netcdf4", decode_times=False, cache=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"cannot be read as netCDF: {error}", where=str(path)) from error
    with ds:
        yield ds


def _grid_in(ds: xr.Dataset, asked: RegridOptions) -> Grid:
    try:
        return grid_of(ds, _names(asked.variables))
    except GridError as error:
        raise GridError(error.what, where=f"{asked.source}, {error.where}", hint=error.hint) from error


def _regridder(asked: RegridOptions, source: Grid, comm: Communicator) -> Regridder:
    target = None if asked.to is None else Layout.blocks(Grid.from_file(asked.to), comm)
    layout = Layout.blocks(source, comm)
    if asked.weights is not None:
        if target is None:
            target = Layout.blocks(Grid.from_map_file(asked.weights, "target"), comm)
        return Regridder.from_file(asked.weights, layout, target)
    if target is None:
        raise ConfigError("no target grid", where="tradewind regrid")
    made_by = scheme(asked.method, asked.norm, asked.poles, asked.extrapolate)
    return Regridder.build(layout, target, made_by, backend=asked.backend, cache=asked.cache)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _with_history(frame: xr.Dataset) -> xr.Dataset:
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
    line = f"{datetime.now(UTC).isoformat(timespec='seconds')}: {command} (tradewind {version()})"
    before = frame.attrs.get("history")
    return frame.assign_attrs(history=f"{line}\n{before}" if before else line)


def _pairs(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = []
    for text in texts or ():
        names = _names(text) or []
        if len(names) != 2:
            raise ConfigError(f"--vectors {text}: two names are needed", hint="--vectors U,V")
        pairs.append((names[0], names[1]))
    return pairs


# ---------------------------------------------------------------------- writing
@dataclass(frozen=True, eq=False)
class _Output:
    """The file to be: what stands around the fields, and the fields."""

    path: Path
    frame: xr.Dataset
    fields: Mapping[str, Field]
    comm: Communicator

    def write(self, vectors: Sequence[tuple[str, str]], progress: Progress) -> None:
        """Write it whole or not at all; all ranks compute, rank 0 writes."""
        with _replacing(self.path, self.comm) as part, self._sink(part) as put:
            step = progress("regridding", sum(len(list(f.parts())) for f in self.fields.values()))
            for name, place, values in blocks(self.fields, vectors):
                with agree(self.comm, f"writing {self.path}"):
                    put(name, place, values)
                step()

    @contextmanager
    def _sink(self, part: Path) -> Iterator[Callable[[str, Place, Array], None]]:
        with agree(self.comm, f"writing {self.path}"):
            ds = self._begun(part) if self.comm.rank == 0 else None
        if ds is None:
            yield lambda name, place, values: None
            return
        with ds:
            yield lambda name, place, values: _put(ds, self.fields[name], place, values)

    def _begun(self, part: Path) -> Dataset:
        from netCDF4 import Dataset

        self.frame.to_netcdf(part, engine="netcdf4")
        ds = Dataset(part, "a")
        try:
            for field in self.fields.values():
                _define(ds, field)
        except BaseException:
            ds.close()
            raise
        return ds


def _replacing(path: Path, comm: Communicator) -> AbstractContextManager[Path]:
    return replacing(path) if comm.rank == 0 else nullcontext(path)


def _define(ds: Dataset, field: Field) -> None:
    sizes = dict(zip(field.dims, field.shape, strict=True))
    for name in (d for d in field.dims if d not in ds.dimensions):
        ds.createDimension(name, sizes[name])
    like = _encoded(field, field.sample())
    made = ds.createVariable(
        str(field.variable.name), like.dtype, field.dims, compression="zlib", complevel=1,
        fill_value=like.attrs.pop("_FillValue", None),
    )  # fmt: skip
    made.set_auto_maskandscale(False)
    made.setncatts({**like.attrs, **_whereabouts(field.regridder.target.grid)})


def _whereabouts(grid: Grid) -> dict[str, str]:
    # coordinates that are no dimensions must be named
    return {} if grid.kind is GridKind.LATLON else {"coordinates": "lat lon"}


def _put(ds: Dataset, field: Field, place: Place, values: Array) -> None:
    ds[str(field.variable.name)][place or ...] = _encoded(field, values).values


def _encoded(field: Field, values: Array) -> xr.Variable:
    variable = xr.Variable(field.dims, values, field.attributes, field.encoding)
    encoded: xr.Variable = xr.conventions.encode_cf_variable(variable, name=field.variable.name)
    return encoded
