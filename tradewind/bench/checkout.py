"""Where the examples are, and how child processes are started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from tradewind.errors import DataError


def examples() -> Path:
    """Return the folder of the examples.

    Raises
    ------
    DataError
        When the package is installed without them.
    """
    folder = Path(__file__).resolve().parents[2] / "examples"
    if not (folder / "permian.yaml").is_file():
        raise DataError(
            "the examples are not here", where=str(folder), hint="run from a checkout of the project"
        )
    return folder


def example(script: str) -> Any:
    """Return a script of the examples as a module, without running it.

    Raises
    ------
    DataError
        When the examples, or this one, are not here.
    """
    path = examples() / f"{script}.py"
    spec = spec_from_file_location(script, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise DataError("this script is not here", where=str(path), hint="run from a checkout of the project")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reference() -> Path | None:
    """Return the folder of other systems' answers: TRADEWIND_SHARED names its parent; None without any."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    for folder in (os.environ.get("TRADEWIND_SHARED"), beside):
        if folder and Path(folder, "reference").is_dir():
            return Path(folder, "reference")
    return None


def python(arguments: Sequence[str | Path], ranks: int = 1, folder: Path | None = None) -> str:
    """Run Python with one thread in a process of its own, or on `ranks` ranks; return what it printed.

    Parameters
    ----------
    folder
        Where it runs; here by default.

    Raises
    ------
    DataError
        When it fails, or no MPI launcher is there.
    """
    command = [*(launcher(ranks) if ranks > 1 else []), sys.executable, *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}", where="benchmark")
    return done.stdout


def can_launch() -> bool:
    """Return whether ranks can be started here."""
    return find_spec("mpi4py") is not None and _mpiexec() is not None


def launcher(ranks: int) -> list[str]:
    """Return the beginning of a command line that starts `ranks` ranks.

    Raises
    ------
    DataError
        When there is none.
    """
    mpiexec = _mpiexec()
    if mpiexec is None:
        raise DataError("no mpiexec is here", where="benchmark", hint='pip install "tradewind[mpich]"')
    return [mpiexec, "-n", str(ranks)]


def _mpiexec() -> str | None:
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")
