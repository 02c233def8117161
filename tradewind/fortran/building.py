"""Building the library of hosts from the sources that came with the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from tradewind.errors import DataError
from tradewind.fortran.installation import Installation

PROGRAMS = {
    "cmake": "cmake",
    "gfortran": "gfortran",
    "cc": "gcc",
    "make": "make",
}
"""What a build needs, and the Debian package that brings it."""


def sources() -> Path:
    """Return the folder of CMakeLists.txt, tradewind.f90 and tradewind.h."""
    return Path(str(files("tradewind.fortran_stubs")))


def build(prefix: Path, options: Sequence[str] = ()) -> Installation:
    """Build and install the library.

    Parameters
    ----------
    prefix
        Where to; made if it is not there.
    options
        For CMake, such as ``-DTRADEWIND_MPI=OFF``.

    Raises
    ------
    DataError
        When a program is missing, or the build fails: with its last lines.
    """
    _need(["cmake", *([] if _chosen(options) else ["gfortran"]), "cc"])
    prefix = prefix.absolute()
    with tempfile.TemporaryDirectory(prefix="tradewind-build-") as folder:
        fixed = [f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DCMAKE_INSTALL_LIBDIR=lib"]
        _do(
            "cmake",
            "-S",
            str(sources()),
            "-B",
            folder,
            *fixed,
            f"-DTRADEWIND_PYTHON={sys.executable}",
            *options,
        )
        _do("cmake", "--build", folder)
        _do("cmake", "--install", folder)
    return Installation(prefix)


def write_fpm(folder: Path) -> Path:
    """Write the library as a package for fpm: its manifest, and the sources in one folder.

    Parameters
    ----------
    folder
        Made if it is not there; what lies there of an earlier time is replaced.

    Raises
    ------
    DataError
        When the folder holds something else.
    """
    manifest = folder / "fpm.toml"
    if folder.exists() and any(folder.iterdir()) and not manifest.exists():
        raise DataError("is no fpm package, and not empty", where=str(folder), hint="name another folder")
    inside = folder / "src"
    shutil.rmtree(inside, ignore_errors=True)
    for file in _library_sources():
        (inside / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sources() / file, inside / file)
    shutil.copyfile(sources() / "fpm.toml", manifest)
    return folder


def _library_sources() -> list[Path]:
    engine = [p for p in (sources() / "engine").rglob("*.*") if p.suffix in {".c", ".h"}]
    # the shim is a library of its own
    within = [p.relative_to(sources()) for p in sorted(engine) if "shim" not in p.name]
    return [Path("tradewind.f90"), Path("tradewind.h"), *within]


def _chosen(options: Sequence[str]) -> bool:
    return any(option.startswith("-DCMAKE_Fortran_COMPILER=") for option in options)


def _need(programs: Sequence[str]) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        packages = " ".join(PROGRAMS[name] for name in missing)
        raise DataError(f"{', '.join(missing)} not found", hint=f"on Debian: apt-get install {packages}")


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise DataError(f"`{' '.join(command[:2])}` ended with {done.returncode}\n{said}")
