"""A real ESMX driver, the NUOPC cap and a data component, built once where ESMF is."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

EXAMPLES = Path(__file__).parents[3] / "fortran_stubs" / "nuopc" / "examples"
STRICT = ("-std=f2018", "-Wall", "-Wextra", "-Werror", "-fcheck=all", "-O1", "-fPIC", "-shared")
APP = {
    "startTime": "1996-01-15T00:00:00",
    "stopTime": "1996-01-16T00:00:00",
    "logKindFlag": "ESMF_LOGKIND_Multi_On_Error",
    "logFlush": True,
}
SEQUENCE = """
@10800
  SKY -> LND :remapMethod=redist
  LND
  LND -> SKY :remapMethod=redist
  SKY
@
"""


@dataclass(frozen=True)
class Esmx:
    """What a run needs."""

    app: Path
    cap: Path
    gauge: Path
    mpiexec: str


@dataclass
class Ran:
    """A run that has ended."""

    exit: int
    folder: Path
    printed: str
    log: str = field(init=False)

    def __post_init__(self) -> None:
        self.log = "\n".join(p.read_text() for p in sorted(self.folder.glob("PET*LogFile")))

    @property
    def water(self) -> dict[float, NDArray[np.float64]]:
        """Return the water that the data component was told: by seconds, in the order of the cells."""
        found: dict[float, dict[int, float]] = {}
        for path in self.folder.glob("water.*"):
            for line in path.read_text().splitlines():
                seconds, number, value = line.split()
                found.setdefault(float(seconds), {})[int(number)] = float(value)
        return {t: np.array([row[n] for n in sorted(row)]) for t, row in sorted(found.items())}


Couple = Callable[..., Ran]


@pytest.fixture(scope="session")
def esmx(installing: Callable[..., Any]) -> Esmx:
    """Return the driver and the components; skips where ESMFMKFILE names no ESMF."""
    mk = os.environ.get("ESMFMKFILE", "")
    if not Path(mk).is_file():
        pytest.skip("the NUOPC cap needs ESMF: ESMFMKFILE is not set")
    hosting = installing("nuopc", "-DTRADEWIND_FROZEN=OFF", "-DTRADEWIND_NUOPC=ON", f"-DESMFMKFILE={mk}")
    if hosting.mpiexec is None:
        pytest.skip("the NUOPC cap is tried on ranks: mpifort was not found")
    with alone(hosting.prefix / "esmx.lock"):
        app, gauge = hosting.prefix / "bin" / "esmx_app", hosting.lib / "librain_gauge.so"
        if not app.exists():
            build_esmx(hosting, said_by(Path(mk)))
        if not gauge.exists():
            paths = said_by(Path(mk))["ESMF_F90COMPILEPATHS"].split()
            modules = f"-J{hosting.prefix / 'bin'}"
            call(hosting.fortran, *STRICT, *paths, modules, EXAMPLES / "rain_gauge.f90", "-o", gauge)
    return Esmx(app, hosting.lib / "libtradewind_nuopc.so", gauge, hosting.mpiexec)


def said_by(mk: Path) -> dict[str, str]:
    """Return the settings of an esmf.mk."""
    lines = (line.partition("=") for line in mk.read_text().splitlines() if line.startswith("ESMF_"))
    return {key: value for key, _, value in lines}


def build_esmx(hosting: Any, settings: Mapping[str, str]) -> None:
    """Build the driver of ESMX as its users do, with nothing of ours in it."""
    folder = hosting.prefix / "esmx"
    folder.mkdir(exist_ok=True)
    (folder / "esmxBuild.yaml").write_text("application:\n  disable_comps: ESMX_Data\n")
    compilers = {"Fortran": hosting.fortran, "C": hosting.c, "CXX": hosting.c.replace("mpicc", "mpicxx")}
    options = [f"-DCMAKE_{language}_COMPILER={path}" for language, path in compilers.items()]
    options += [f"-DESMX_SDIR={folder}", f"-DCMAKE_INSTALL_PREFIX={hosting.prefix}"]
    options += [f"-DPython_EXECUTABLE={sys.executable}", "-DCMAKE_BUILD_TYPE=Release"]
    source = settings["ESMF_ESMXDIR"]
    call("cmake", "-S", source, "-B", folder / "build", *options, cwd=folder)
    call("cmake", "--build", folder / "build", cwd=folder)
    call("cmake", "--install", folder / "build", cwd=folder)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock among processes."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def call(*command: object, cwd: Path | None = None) -> None:
    """Run a command; fail with what it printed if it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        pytest.fail(f"{command[0]}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")


@pytest.fixture
def couple(esmx: Esmx, tmp_path: Path) -> Couple:
    """Return a function that runs ESMX in `tmp_path` and returns what came of it.

    ``couple(ranks, sky={...}, lnd={...}, sequence=..., parts={label: {...}}, pets={label: [...]})``: SKY is
    the data component, LND the cap, what stands in braces are attributes; `parts` are caps instead of LND.
    """

    def run(
        ranks: int,
        sky: Mapping[str, Any] | None = None,
        lnd: Mapping[str, Any] | None = None,
        sequence: str = SEQUENCE,
        parts: Mapping[str, Mapping[str, Any]] | None = None,
        pets: Mapping[str, list[int]] | None = None,
    ) -> Ran:
        given = {"nx": 3, "ny": 2, "output": "water", **(sky or {})}
        components: dict[str, Any] = {"SKY": {"model": str(esmx.gauge), "attributes": given}}
        if parts is None:
            components["LND"] = {"model": str(esmx.cap), "attributes": dict(lnd or {})}
        for label, attributes in (parts or {}).items():
            components[label] = {"model": str(esmx.cap), "attributes": dict(attributes)}
        for label, list_ in (pets or {}).items():
            components[label]["petList"] = list_
        driver = {"componentList": list(components), "runSequence": sequence}
        text = json.dumps({"ESMX": {"App": copy.copy(APP), "Driver": driver}, **components}, indent=1)
        (tmp_path / "esmxRun.yaml").write_text(text)
        return started(esmx, ranks, tmp_path)

    return run


def started(esmx: Esmx, ranks: int, folder: Path) -> Ran:
    """Run ESMX in a folder."""
    for old in (*folder.glob("PET*"), *folder.glob("water.*")):
        old.unlink()
    environment = dict(os.environ, TRADEWIND_PYTHON=sys.executable, OMP_NUM_THREADS="1")
    command = [esmx.mpiexec, "-n", str(ranks), str(esmx.app)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    return Ran(done.returncode, folder, done.stdout + done.stderr)


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Write a bucket that rain fills and that leaks, on three by two cells of one degree."""
    shutil.copy(EXAMPLES / "bucket.py", tmp_path)
    shutil.copy(EXAMPLES / "bucket.yaml", tmp_path)
    return tmp_path / "bucket.yaml"
