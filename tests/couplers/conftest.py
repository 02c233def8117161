"""Grids that the tests of the couplers share, and one run of their MPI program per number of ranks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tradewind.couplers.grids import Grid

PROGRAM = Path(__file__).parent / "ranks" / "programs" / "couplers_on_ranks.py"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def on_one(tmp_path_factory) -> dict[str, np.ndarray]:
    """Results of the MPI program without MPI."""
    return load(PROGRAM).results(None, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="session")
def on_ranks(tmp_path_factory) -> Callable[[int], dict[str, np.ndarray]]:
    """Return a function that runs the MPI program on some ranks (once) and gives rank 0's results."""
    pytest.importorskip("mpi4py", reason="MPI tests need the extra `mpich` or `mpi`")
    beside = Path(sys.executable).with_name("mpiexec")
    command = str(beside) if beside.exists() else shutil.which("mpiexec")
    if command is None:
        pytest.skip("no mpiexec found")
    kept: dict[int, dict[str, np.ndarray]] = {}

    def run(ranks: int) -> dict[str, np.ndarray]:
        if ranks not in kept:
            out = tmp_path_factory.mktemp(f"ranks{ranks}") / "results.npz"
            done = subprocess.run(
                [command, "-n", str(ranks), sys.executable, str(PROGRAM), str(out)],
                env=dict(os.environ, OMP_NUM_THREADS="1"),
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            if done.returncode:
                pytest.fail(f"{ranks} ranks, exit {done.returncode}\n{done.stdout}\n{done.stderr}")
            with np.load(out) as found:
                kept[ranks] = dict(found)
        return kept[ranks]

    return run


@pytest.fixture(scope="session")
def coarse() -> Grid:
    """30 degrees: 6 rows, 12 columns, global and periodic."""
    return Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))


@pytest.fixture(scope="session")
def finer() -> Grid:
    """20 x 22.5 degrees, from north to south, longitudes about Greenwich."""
    return Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5))


@pytest.fixture(scope="session")
def box() -> Grid:
    """2 degrees over the Permian: 6 rows, 7 columns, not periodic."""
    return Grid.latlon(np.arange(27.0, 38, 2), np.arange(-109.0, -96, 2))


@pytest.fixture(scope="session")
def rotated() -> Grid:
    """A curvilinear grid 8 x 10 turned about a point at 97 W, 40 N."""
    return turned(8, 10, 3.0, (-97.0, 40.0))


def turned(ny: int, nx: int, step: float, origin: tuple[float, float]) -> Grid:
    def place(i, j):
        x, y = np.deg2rad((i - nx / 2) * step), np.deg2rad((j - ny / 2) * step)
        c = np.deg2rad(origin[1])
        lat = np.arcsin(np.sin(c) * np.cos(y) * np.cos(x) + np.cos(c) * np.sin(y))
        lon = np.arctan2(np.cos(y) * np.sin(x), np.cos(c) * np.cos(y) * np.cos(x) - np.sin(c) * np.sin(y))
        return origin[0] + np.rad2deg(lon), np.rad2deg(lat)

    j, i = np.mgrid[:ny, :nx]
    jc, ic = np.mgrid[: ny + 1, : nx + 1]
    return Grid.curvilinear(*place(i + 0.5, j + 0.5), *place(ic, jc))
