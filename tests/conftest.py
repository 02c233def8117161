"""Fixtures that all tests share: the reference data, and real MPI ranks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# the first call of a compiled loop takes seconds; the same examples every time, unless asked to explore
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

Launch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Keep workers from fighting over cores, and results independent of the machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with answers of other systems, or skip."""
    folder = os.environ.get("TRADEWIND_SHARED", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("reference data absent: set TRADEWIND_SHARED to its folder")
    return Path(folder)


def launcher() -> str | None:
    """Return the `mpiexec` beside this Python, or the first on the path."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


@pytest.fixture
def mpiexec(tmp_path: Path) -> Launch:
    """Return a function that runs a Python script under real ranks and fails with their output."""
    pytest.importorskip("mpi4py", reason="MPI tests need the extra `mpich` or `mpi`")
    command = launcher()
    if command is None:
        pytest.skip("no mpiexec found: install the extra `mpich` or an MPI")

    def launch(ranks: int, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ, OMP_NUM_THREADS="1")
        done = subprocess.run(
            [command, "-n", str(ranks), sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{ranks} ranks, exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    return launch
