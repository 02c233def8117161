"""Where ESMPy runs: in this process, on all ranks together, or in a child process that knows no MPI.

ESMPy takes the world communicator only, and hangs for ever when some ranks leave it out. So it runs together
where our communicator is the world and ESMF uses the MPI of mpi4py; here where there is no MPI at all; in
every other case in a child, without the launcher's environment, whose weights are shared among the ranks.
All ranks take the same way. `couplers.esmf` imports ESMPy; this module does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers import esmf
from tradewind.couplers.esmf_shapes import Share
from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.grids.places import Axes, Listed
from tradewind.couplers.ranks.parallel import Communicator, agree
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, Scheme
from tradewind.couplers.regrid.weights.triplets import Triplets, coalesce
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.ranks.layout import Layout

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

CLASSES = {kind.__name__: kind for kind in (Grid, Axes, Listed)}
LAUNCHERS = ("PMI", "PMIX", "OMPI", "MPI", "HYDRA", "SLURM", "PRTE", "I_MPI", "MV2", "PALS", "FLUX")
"""Beginnings of the names by which launchers tell a process that it is a rank."""
MAPS = Path("/proc/self/maps")
MPI_LIBRARY = re.compile(r"(?<![\w.+-])libmpi(?:ch)?\.so(?:\.\d+)?")
"""An MPI library by name and first number, which is what programs are linked to."""


class Where(StrEnum):
    """Where ESMPy runs."""

    HERE = "here"
    TOGETHER = "together"
    CHILD = "child"


@dataclass(frozen=True)
class Build:
    """An ESMF, by its file ``esmf.mk``: version, MPI (``mpiuni`` is none), and where its library is."""

    version: str = ""
    comm: str = ""
    folder: str = ""

    @classmethod
    def found(cls) -> Build:
        """Return the ESMF that ESMPy would load, found as ESMPy finds it; all empty where there is none."""
        named = os.environ.get("ESMFMKFILE")
        path = Path(named) if named else Path(sys.prefix, "lib", "esmf.mk")
        return cls.read(path.read_text()) if path.is_file() else cls()

    @classmethod
    def read(cls, text: str) -> Build:
        """Read the text of an ``esmf.mk``."""
        names = ("ESMF_VERSION_STRING", "ESMF_COMM", "ESMF_LIBSDIR")
        found = (re.search(rf"^#?\s*{name}\s*[=:]\s*(\S+)", text, re.M) for name in names)
        return cls(*(match[1] if match else "" for match in found))

    @cached_property
    def mpi(self) -> set[str]:
        """File names of the MPI libraries that it needs; none where that cannot be told."""
        library = Path(self.folder, "libesmf_fullylinked.so")
        try:
            done = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=False)
        except OSError:
            return set()
        return set(MPI_LIBRARY.findall(done.stdout))


def weights(source: Layout, target: Layout, scheme: Scheme) -> Triplets:
    """Return ESMPy's weights, at least this rank's rows, repeated (row, column) pairs added up; collective.

    Raises
    ------
    GridError
        When ESMPy refuses the grids; names both.
    SpecError
        A broken ESMPy, two MPI libraries in one process.
    """
    comm = target.comm
    way = agreed(comm, where(comm, (source.grid, target.grid), scheme))
    if way is Where.TOGETHER:
        return together(source.grid, target, scheme)
    make = in_process if way is Where.HERE else in_child
    made = None
    with agree(comm, "making weights with ESMPy"):
        if comm.rank == 0:
            made = make(source.grid, target.grid, scheme)
    return made if made is not None and comm.size == 1 else _handed_out(made, source.grid.size, target)


def where(comm: Communicator, grids: Iterable[Grid] = (), scheme: Scheme | None = None) -> Where:
    """Return where ESMPy can run as far as this rank can tell; local.

    Some extrapolation is left to a single process: with several, ESMF 8.9 takes other sources of equal
    distance for inverse distance, and for creep fill it fills other cells, or hangs.
    """
    if threading.current_thread() is not threading.main_thread() or _host_runs_esmf():
        return Where.CHILD
    if not under_mpi():
        return Where.HERE
    afar = None if scheme is None else scheme.extrapolation
    if isinstance(afar, Creep | InverseDistance) and comm.size > 1:
        return Where.CHILD
    enough = all(_divisible(grid, comm.size) for grid in grids)
    return Where.TOGETHER if enough and _is_world(comm) and _same_mpi(Build.found()) else Where.CHILD


def agreed(comm: Communicator, mine: Where) -> Where:
    """Return the way that all ranks take: a child as soon as one of them needs it; collective."""
    ways = set(comm.allgather(mine))
    return ways.pop() if len(ways) == 1 else Where.CHILD


def under_mpi() -> bool:
    """Return whether this process is, or may be, one rank of many."""
    return "mpi4py.MPI" in sys.modules or any(name.startswith(LAUNCHERS) for name in os.environ)


def _divisible(grid: Grid, ranks: int) -> bool:
    """Return whether every rank gets enough cells.

    ESMF cuts rows and columns along the columns only, and cannot regrid blocks that are one column wide: it
    hangs.
    """
    least = 2 if len(grid.shape) == 2 else 1
    return ranks == 1 or grid.shape[-1] >= least * ranks


def _is_world(comm: Communicator) -> bool:
    inner, library = getattr(comm, "comm", None), sys.modules.get("mpi4py.MPI")
    if inner is None or library is None or not hasattr(library, "COMM_WORLD"):
        return False
    same = {library.IDENT, library.CONGRUENT}
    return library.Comm.Compare(inner, library.COMM_WORLD) in same


def _same_mpi(build: Build) -> bool:
    if build.comm in {"", "mpiuni"}:
        return False
    return bool(build.mpi) and build.mpi <= set(MPI_LIBRARY.findall(_maps()))


def _host_runs_esmf() -> bool:
    """Return whether a program that embeds Python has brought its own ESMF."""
    return "esmpy" not in sys.modules and "libesmf" in _maps()


def _maps() -> str:
    return MAPS.read_text() if MAPS.exists() else ""


def refuse_two_libraries(maps: str) -> None:
    """Refuse ESMPy's MPI beside another one.

    Parameters
    ----------
    maps
        Text of Linux' ``/proc/self/maps``.

    Raises
    ------
    SpecError
        When two MPI libraries are loaded; ESMF is not started then.
    """
    found = sorted({line.split()[-1] for line in maps.splitlines() if MPI_LIBRARY.search(line)})
    if len(found) > 1:
        raise SpecError(
            f"two MPI libraries are loaded: {', '.join(found)}",
            where="esmpy",
            hint='build mpi4py with the MPI of ESMF, or use backend="native"',
        )


def in_process(source: Grid, target: Grid, scheme: Scheme) -> Triplets:
    """Make all weights here; for a process that is no rank of many."""
    return assembled([esmf.factors(source, target, scheme, esmf.start())], source, target, scheme)


def together(source: Grid, target: Layout, scheme: Scheme) -> Triplets:
    """Make the weights on all ranks, each giving its share of the cells; return this rank's rows.

    Collective.
    """
    comm = target.comm
    with agree(comm, "loading ESMPy"):
        esmf.load()
        refuse_two_libraries(_maps())
    share = esmf.start()
    _refuse_other_world(comm, share)
    with agree(comm, "making weights with ESMPy"):
        mine = esmf.factors(source, target.grid, scheme, share)
    return assembled([_reowned(mine, target)], source, target.grid, scheme)


def _refuse_other_world(comm: Communicator, share: Share) -> None:
    with agree(comm, "starting ESMF"):
        if (share.rank, share.size) != (comm.rank, comm.size):
            raise SpecError(
                f"ESMF is rank {share.rank} of {share.size}, the communicator {comm.rank} of {comm.size}",
                where="esmpy",
                hint="two MPI libraries are in play: build mpi4py with the MPI of ESMF",
            )


def assembled(parts: list[esmf.Factors], source: Grid, target: Grid, scheme: Scheme) -> Triplets:
    """Return entries sorted, repeated pairs added up smallest first: no bit depends on ESMF's order."""
    row, col, value, cells, fraction = (
        np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(esmf.Factors)
    )
    order = np.argsort(value, kind="stable")
    row, col, value = coalesce(row[order], col[order], value[order])
    covered = np.zeros(target.size)
    covered[cells] = fraction
    if not scheme.method.is_conservative:
        covered[row] = 1.0
    return Triplets(row, col, value, covered, source.size)


def _reowned(mine: esmf.Factors, target: Layout) -> esmf.Factors:
    """Send entries and fractions to the ranks that own their rows; collective."""
    owner, _ = target.server
    entries, fractions = owner[mine.row], owner[mine.cells]
    row, col, value = (_sent(target.comm, entries, part) for part in (mine.row, mine.col, mine.value))
    cells, fraction = (_sent(target.comm, fractions, part) for part in (mine.cells, mine.fraction))
    return esmf.Factors(row, col, value, cells, fraction)


def _sent(comm: Communicator, to: Index, values: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate(comm.exchange([values[to == rank] for rank in range(comm.size)]))


def _handed_out(made: Triplets | None, n_source: int, target: Layout) -> Triplets:
    """Give every rank its rows of the weights that rank 0 holds; collective."""
    if made is None:
        none = np.zeros(0, dtype=np.int64)
        made = Triplets(none, none, np.zeros(0), np.zeros(0), n_source)
    cells = np.arange(made.n_target, dtype=np.int64)
    whole = esmf.Factors(made.row, made.col, made.value, cells, made.frac_target)
    mine = _reowned(whole, target)
    covered = np.zeros(target.n_global)
    covered[mine.cells] = mine.fraction
    return Triplets(mine.row, mine.col, mine.value, covered, n_source)


def in_child(source: Grid, target: Grid, scheme: Scheme) -> Triplets:
    """Make all weights in a child process that knows nothing of MPI; grids and weights travel as arrays.

    Raises
    ------
    GridError
        When the child fails; names both grids, what it said last, and what ESMF logged.
    """
    with TemporaryDirectory() as folder:
        ask(Path(folder, "ask.npz"), source, target, scheme)
        command = [sys.executable, "-m", "tradewind.couplers.esmf_child"]
        done = subprocess.run(
            command, cwd=folder, env=child_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"its process ended with {done.returncode}"]
            raise esmf.refused(source, target, "; ".join([*said, *logged(Path(folder))]))
        with np.load(Path(folder, "answer.npz"), allow_pickle=False) as found:
            return Triplets(found["row"], found["col"], found["value"], found["frac"], source.size)


def child_environment() -> dict[str, str]:
    """Return this process's environment without what tells a process that it is a rank."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    # the child runs in a folder of its own, where relative entries of the path mean nothing
    path = (str(Path(entry).resolve()) for entry in sys.path)
    return kept | {"PYTHONPATH": os.pathsep.join(path)}


def logged(folder: Path) -> list[str]:
    """Return what ESMF's log files in a folder say last, without date and time."""
    lines = [
        line for file in sorted(folder.glob("PET*.ESMF_LogFile")) for line in file.read_text().split("\n")
    ]
    errors = [re.sub(r"^\d{8} [\d.]+ +", "", line) for line in lines if " ERROR " in line]
    return errors[:1]


def ask(path: Path, source: Grid, target: Grid, scheme: Scheme) -> None:
    """Write two grids and a scheme for the child (see `asked`)."""
    parts = dict([*_parts("source", source), *_parts("target", target)])
    np.savez(path, allow_pickle=False, scheme=np.array(str(scheme)), **parts)


def _parts(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Name the arrays of a grid; what it is made of goes by the name of its class."""
    if is_dataclass(value):
        yield name, np.array(type(value).__name__)
        for field in fields(value):
            yield from _parts(f"{name}.{field.name}", getattr(value, field.name))
    elif value is not None:
        yield name, np.asarray(value)


def asked(path: Path) -> tuple[Grid, Grid, Scheme]:
    """Read what `ask` wrote."""
    from tradewind.couplers.regrid.backends import scheme_of

    with np.load(path, allow_pickle=False) as found:
        source, target = _value(found, "source"), _value(found, "target")
        return source, target, scheme_of(str(found["scheme"]))


def _value(found: Any, name: str) -> Any:
    array = found.get(name)
    if array is None or array.dtype.kind != "U":
        return array if name.rpartition(".")[2] != "shape" else tuple(array.tolist())
    if array.ndim:
        return tuple(array.tolist())
    text = str(array)
    if name.endswith(".kind"):
        return GridKind(text)
    made = CLASSES.get(text)
    return made(**{f.name: _value(found, f"{name}.{f.name}") for f in fields(made)}) if made else text
