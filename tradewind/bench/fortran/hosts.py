"""Programs of Fortran hosts: compiled as strictly as compilers can, launched on ranks, listened to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from tradewind.errors import DataError
from tradewind.fortran.installation import Installation

STRICT = ("-std=f2018", "-Wall", "-Wextra", "-Werror", "-fcheck=all")
TRAPS = ("-ffpe-trap=invalid,zero,overflow", "-finit-real=snan")
OWN = {"TRADEWIND_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
"""What a host is run with: this Python, one thread."""


def drivers() -> Path:
    """Return the folder of the programs that come with the library."""
    return Path(str(files("tradewind.fortran_stubs"))) / "drivers"


def compiler() -> str:
    """Return the Fortran compiler: the wrapper of an MPI where there is one."""
    return shutil.which("mpifort") or "gfortran"


def launcher(ranks: int) -> list[str]:
    """Return the words that start so many ranks, of the MPI that programs are linked with; none without."""
    wrapper = shutil.which("mpifort")
    mpiexec = shutil.which("mpiexec", path=str(Path(wrapper).parent)) if wrapper else None
    return [mpiexec, "-n", str(ranks)] if mpiexec else []


def ranks_possible(ranks: Sequence[int]) -> Sequence[int]:
    """Return those numbers of ranks that can be launched here."""
    return ranks if launcher(1) else ranks[:1]


def compiled(prefix: Path, source: Path, folder: Path, flags: Sequence[str] = (*STRICT, *TRAPS)) -> Path:
    """Compile a program that uses MPI only where ``MPI`` is defined, and return it.

    Parameters
    ----------
    prefix
        Where the library is installed.

    Raises
    ------
    DataError
        When it does not compile.
    """
    installation, program = Installation(prefix), folder / source.stem
    defined = ["-DMPI"] if launcher(1) else []
    command = [compiler(), "-cpp", *defined, *flags, *installation.cflags(), str(source)]
    said([*command, *installation.libs(), "-o", str(program)], folder)
    return program


def said(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command in a folder and return what it printed.

    Parameters
    ----------
    environment
        The whole of it; by default this process's, with this Python and one thread.

    Raises
    ------
    DataError
        With its last words, when it fails.
    """
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **OWN} if environment is None else environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout
