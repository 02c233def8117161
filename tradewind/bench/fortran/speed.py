"""What a call costs: one network through every way that hosts have, beside FTorch where it is installed.

All ways are asked in turn by one process, in one thread (``fortran_stubs/drivers/speed.f90``); of many
rounds the least is taken, since whatever disturbs a process makes it slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tradewind.bench.fortran.hosts import compiler, drivers, said
from tradewind.errors import DataError
from tradewind.fortran.installation import Installation

COLUMNS = (1, 64, 1024)
ROUNDS = 100
TURNS = 5
"""How often the whole program is launched for each count of threads."""
WAYS = {"embedded": "embedded_us", "frozen": "frozen_us", "hooked": "hooked_us", "other": "ftorch_us"}
"""Names in what the program prints, and in the figures."""
WIDTHS = (16, 64, 64, 8)
HOOKED = """\
run: {{start: 2000-01-01, stop: 2000-01-02, step: 1h}}
components:
  network:
    plugin: network
    options: {{checkpoint: {file}}}
"""
Figures = dict[str, Any]


@dataclass(frozen=True)
class Speeds:
    """What the program has printed: the least and the median microseconds, by way and number of columns."""

    least: Mapping[tuple[str, int], float]
    middle: Mapping[tuple[str, int], float]
    apart: Mapping[tuple[str, int], float]


@dataclass(frozen=True)
class Inputs:
    """One network in every form that something loads; None: that way is left out."""

    network: Path
    package: Path | None = None
    config: Path | None = None
    script: Path | None = None

    def arguments(self, rounds: int) -> list[str]:
        """Return the program's command line."""
        ways = (self.network, self.package, self.config, self.script)
        return [*("-" if way is None else str(way) for way in ways), str(rounds)]


def measured(prefix: Path, ftorch: Path | None) -> Figures:
    """Return microseconds of one call, and what they become when nobody says how many threads there are.

    Parameters
    ----------
    prefix
        Where the library is installed.
    ftorch
        Where FTorch is installed; None: its figures are null, as they are when it does not work.

    Raises
    ------
    DataError
        When the program does not compile or fails.
    """
    with TemporaryDirectory(prefix="tradewind-speed-") as work:
        folder = Path(work)
        inputs = prepared(folder, ftorch is not None)
        speeds = beside(prefix, folder, inputs, ftorch)
        ratio = unset_ratio(compiled(folder, Installation(prefix)), inputs)
    return figures(speeds) | {"unset_omp_ratio": ratio}


def figures(speeds: Speeds) -> Figures:
    """Return the least times under the names of the figures; None for what was not measured."""
    found: Figures = {
        f"{figure}_{n}": _rounded(speeds.least.get((way, n))) for way, figure in WAYS.items() for n in COLUMNS
    }
    for name in ("crossing", "crossing_guarded"):
        found[f"{name}_us"] = _rounded(speeds.least.get((name, 0)))
    # how far the engines are apart, in the network's own units: to rounding
    found["engines_apart"] = max((v for (way, _), v in speeds.apart.items() if way == "frozen"), default=None)
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


# ---------------------------------------------------------------------- what is asked
def prepared(folder: Path, script: bool) -> Inputs:
    """Make the network, its package and a run config that hosts it; for FTorch, a TorchScript file."""
    import torch

    from tradewind.surrogates.columns.files import save_columns
    from tradewind.surrogates.columns.header import ColumnField
    from tradewind.surrogates.columns.network import MLP
    from tradewind.surrogates.freezing.package import freeze

    torch.manual_seed(0)
    x, y = (
        ColumnField(name=n, units="1", size=k) for n, k in zip("xy", (WIDTHS[0], WIDTHS[-1]), strict=True)
    )
    network = MLP([x], [y], WIDTHS[1:-1]).eval()
    source, package, config = folder / "net.safetensors", folder / "net.pt2", folder / "run.yaml"
    save_columns(source, network)
    freeze(source, package)
    config.write_text(HOOKED.format(file=source))
    return Inputs(source, package, config, scripted(network, folder / "net.ts") if script else None)


def scripted(network: Any, path: Path) -> Path:
    """Write the network as FTorch wants it, columns first."""
    import warnings

    import torch
    from torch import nn

    parts = [part for layer in network.layers for part in (layer, nn.Tanh())][:-1]
    with warnings.catch_warnings():  # TorchScript is deprecated, but it is what FTorch loads
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Sequential(*parts), torch.zeros(4, WIDTHS[0])).save(str(path))  # type: ignore[no-untyped-call]
    return path


# ---------------------------------------------------------------------- the program
def compiled(folder: Path, installation: Installation, ftorch: Path | None = None) -> Path:
    """Compile the program, with FTorch as the other way where it is given.

    Raises
    ------
    DataError
        When it does not compile.
    """
    program = folder / ("speed_ftorch" if ftorch else "speed")
    modules = folder / f"{program.name}_modules"
    modules.mkdir()
    sources = [drivers() / ("speed_ftorch.f90" if ftorch else "speed_alone.f90"), drivers() / "speed.f90"]
    command = [compiler(), "-O2", f"-J{modules}", *installation.cflags(), *_ftorch_flags(ftorch)]
    libraries = [*installation.libs(), *_ftorch_libs(ftorch)]
    said([*command, *map(str, sources), *libraries, "-o", str(program)], folder)
    return program


def _ftorch_flags(ftorch: Path | None) -> list[str]:
    return [f"-I{ftorch}/include", f"-I{ftorch}/include/ftorch"] if ftorch else []


def _ftorch_libs(ftorch: Path | None) -> list[str]:
    if ftorch is None:
        return []
    import torch

    folder, torchs = (
        next(p for p in (ftorch / "lib", ftorch / "lib64") if p.exists()),
        Path(torch.__file__).parent,
    )
    return [f"-L{folder}", "-lftorch", f"-Wl,-rpath,{folder}", f"-Wl,-rpath-link,{torchs / 'lib'}"]


def beside(prefix: Path, folder: Path, inputs: Inputs, ftorch: Path | None) -> Speeds:
    """Measure all ways; without FTorch where that cannot be compiled against, or fails."""
    installation = Installation(prefix)
    alone = Inputs(inputs.network, inputs.package, inputs.config)
    if ftorch is not None:
        try:
            program = compiled(folder, installation, ftorch)
            return asked(program, inputs, ROUNDS)
        except DataError:
            pass  # its figures are null
    return asked(compiled(folder, installation), alone, ROUNDS)


def asked(program: Path, inputs: Inputs, rounds: int, threads: str | None = "1") -> Speeds:
    """Run the program with so many threads; None: nobody says how many."""
    environment = {k: v for k, v in os.environ.items() if k not in {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}}
    environment |= {"TRADEWIND_PYTHON": sys.executable}
    environment |= {"OMP_NUM_THREADS": threads} if threads else {}
    return read(said([str(program), *inputs.arguments(rounds)], program.parent, environment))


def read(printed: str) -> Speeds:
    """Read lines of ``way columns least median`` and ``apart_way columns distance``."""
    speeds = Speeds({}, {}, {})
    for line in printed.splitlines():
        name, n, *values = line.split()
        if name.startswith("apart_"):
            _set(speeds.apart, name.removeprefix("apart_"), n, values[0])
        else:
            _set(speeds.least, name, n, values[0])
            _set(speeds.middle, name, n, values[1])
    return speeds


def _set(into: Any, name: str, n: str, value: str) -> None:
    into[name, int(n)] = float(value)


# ---------------------------------------------------------------------- threads
def unset_ratio(program: Path, inputs: Inputs) -> float:
    """Return how much longer calls take where OMP_NUM_THREADS is unset, while another process is busy.

    The larger of both engines' ratios, at 64 and 1024 columns, of medians over launches in turn.
    """
    alone = Inputs(inputs.network, inputs.package)
    seconds: dict[str | None, list[Speeds]] = {"1": [], None: []}
    with busy():
        for _ in range(TURNS):
            for threads, found in seconds.items():
                found.append(asked(program, alone, ROUNDS // TURNS, threads))
    keys = [(way, n) for way in ("embedded", "frozen") for n in COLUMNS[1:]]
    return float(f"{max(_middle(seconds[None], k) / _middle(seconds['1'], k) for k in keys):.3g}")


def _middle(found: Sequence[Speeds], key: tuple[str, int]) -> float:
    return median(speeds.middle[key] for speeds in found)


@contextmanager
def busy() -> Iterator[None]:
    """Let another process compute meanwhile."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()
