"""Models to drive: Fortran programs that are compiled here, and shell scripts that fail as they are told."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from tradewind.couplers.grids import Grid
from tradewind.plugins.external.options import ExternalOptions

SOURCES = Path(__file__).parent / "fortran"
LAT, LON = np.array([10.0, 20.0, 30.0]), np.array([0.0, 5.0, 10.0, 15.0])
AMOUNT = 500.0 + 100.0 * np.arange(12.0).reshape(3, 4)
"""Initial amounts of the box in its own file, g."""
SETTINGS = """\
&box_settings
  mode = '{mode}', seconds = {seconds:d}, substeps = 4, start = '{start:%Y-%m-%d %H:%M}' /
"""


def words(command: str) -> list[str]:
    done = subprocess.run(command.split(), capture_output=True, text=True, check=True)
    return done.stdout.split()


def compiled(compiler: str, name: str, folder: Path) -> Path:
    """Return a Fortran program of this folder, or skip where it cannot be compiled."""
    for tool in (compiler, "nf-config"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}: install gfortran, an MPI and libnetcdff-dev")
    program = folder / name
    flags = ["-O1", "-Wall", *words("nf-config --fflags")]
    source = str(SOURCES / f"{name}.f90")
    command = [compiler, *flags, source, "-o", str(program), *words("nf-config --flibs")]
    subprocess.run(command, cwd=folder, check=True)
    return program


@pytest.fixture(scope="session")
def box_program(tmp_path_factory) -> Path:
    return compiled("gfortran", "box", tmp_path_factory.mktemp("box"))


@pytest.fixture(scope="session")
def ring_program(tmp_path_factory) -> Path:
    return compiled("mpif90", "ring", tmp_path_factory.mktemp("ring"))


@pytest.fixture
def scratch(tmp_path) -> Path:
    """Return the folder for run directories; what a test leaves there is left over."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def grid_file(tmp_path) -> Path:
    Grid.latlon(LAT, LON).to_dataset("cf").to_netcdf(tmp_path / "grid.nc")
    return tmp_path / "grid.nc"


def restart_file(path: Path) -> None:
    fields = {"AMOUNT": (("lat", "lon"), AMOUNT, {"units": "g"}), "SEED": ((), 42)}
    xr.Dataset(fields).to_netcdf(path, format="NETCDF3_64BIT")


def box_settings(program: Path, folder: Path) -> dict:
    """Return options of the box: amounts in kg, inflow in kg s-1, its rate in s-1, levels in m."""
    template = folder / "template"
    template.mkdir(exist_ok=True)
    (template / "box.nml").write_text(SETTINGS)
    restart_file(template / "restart.nc")
    place = {"file": "forcing.nc"}
    return {
        "command": [str(program)],
        "template": template,
        "rendered": ["*.nml"],
        "grid": {"file": folder / "grid.nc"},
        "scratch": folder / "scratch",
        "imports": {
            "inflow": place
            | {"variable": "INFLOW", "units": "kg s-1", "file_units": "g s-1", "kind": "flux, extensive"}
        },
        "parameters": {
            "rate": place | {"variable": "RATE", "units": "s-1", "file_units": "h-1", "default": 1e-5}
        },
        "state": {"amount": {"file": "restart.nc", "variable": "AMOUNT", "units": "kg", "file_units": "g"}},
        "exports": {
            "level": {"file": "output.nc", "variable": "LEVEL", "units": "m", "file_units": "cm"},
            "elapsed": {"file": "output.nc", "variable": "ELAPSED", "units": "s", "grid": "none"},
        },
        "restart": [{"file": "clock.bin", "at_start": "absent"}],
    }


@pytest.fixture
def box(box_program, tmp_path, grid_file, scratch) -> dict:
    """Return the options of the compiled box, with its adjoint and its tangent."""
    derivative = {"command": [str(box_program)]}
    return box_settings(box_program, tmp_path) | {"adjoint": derivative, "tangent": derivative}


ANSWER = {"LEVEL": (("lat", "lon"), 1.0 + np.arange(12.0).reshape(3, 4), {"units": "m"})}


@pytest.fixture
def script(tmp_path, grid_file, scratch):
    """Return a function that makes options of a model that is a shell script.

    Its template holds ``answer.nc``, with LEVEL, to be copied to output.nc.
    """
    template = tmp_path / "template"
    template.mkdir()

    def make(text: str = "cp answer.nc output.nc", answer=None, **changes) -> ExternalOptions:
        xr.Dataset(ANSWER if answer is None else answer).to_netcdf(template / "answer.nc")
        model = template / "model"
        model.write_text(f"#!/bin/sh\n{text}\n")
        model.chmod(0o755)
        settings = {
            "command": ["model"],
            "template": template,
            "grid": {"file": grid_file},
            "scratch": scratch,
            "exports": {"level": {"file": "output.nc", "variable": "LEVEL", "units": "m"}},
        }
        return ExternalOptions(**settings | changes)

    return make


def running(marker: str) -> list[str]:
    """Return the command lines of processes with `marker` in their environment or arguments."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                dead = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except OSError:
                continue
            if marker.encode() in text and not dead:
                found.append(text.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found


@pytest.fixture
def tools() -> SimpleNamespace:
    """Return this module's names."""
    return SimpleNamespace(**{name: value for name, value in globals().items() if not name.startswith("_")})
