"""``--check``: whether a host can be built here, and whether it then finds this Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tradewind.errors import DataError
from tradewind.fortran.installation import Installation

HOST = """\
program check
  use tradewind, only: tradewind_error_config, tradewind_session, tradewind_status, tradewind_version
  implicit none
  type(tradewind_session) :: session
  type(tradewind_status) :: status

  print '(a)', tradewind_version()
  call session%init('no-such-config.yaml', status=status)
  print '(a)', status%name()
  print '(a)', status%message
end program check
"""
"""Tells the library's version, and opens a config that is not there: only a Python that works says so."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    required
        Whether hosts cannot do without it.
    """

    about: str
    found: bool
    told: str
    required: bool = True

    @property
    def line(self) -> str:
        """One line of the report."""
        mark = "ok" if self.found else "MISSING" if self.required else "absent"
        return f"{self.about:<22} {mark:<8} {self.told}"


def check(installation: Installation) -> list[Finding]:
    """Return what was found, most basic things first."""
    found = [*programs(), library(installation)]
    if found[-1].found:
        found += engines(installation)
    if all(finding.found for finding in found if finding.required):
        found += host(installation)
    return found


def programs() -> Iterator[Finding]:
    """Yield the compilers and tools of a build."""
    for name, required in (("gfortran", True), ("cc", True), ("cmake", True), ("mpifort", False)):
        path = shutil.which(name)
        yield Finding(name, path is not None, path or "not on the path", required)


def library(installation: Installation) -> Finding:
    """Return whether the library is installed."""
    try:
        return Finding("libtradewind", True, str(installation.lib))
    except DataError as error:
        return Finding("libtradewind", False, str(error))


def engines(installation: Installation) -> Iterator[Finding]:
    """Yield the libraries that not every build has."""
    for name, about in (
        ("tradewind_stub", "for machines without Python"),
        ("tradewind_frozen", "the engine for .pt2 files"),
        ("tradewind_nuopc", "the NUOPC cap"),
    ):
        yield Finding(f"lib{name}", installation.has(name), about, required=False)


def host(installation: Installation) -> Iterator[Finding]:
    """Compile a small host with the flags that are printed, run it, and yield what it says."""
    with tempfile.TemporaryDirectory(prefix="tradewind-check-") as folder:
        source, program = Path(folder) / "check.f90", Path(folder) / "check"
        source.write_text(HOST)
        compiler = shutil.which("mpifort") or "gfortran"
        flags = [*installation.cflags(), str(source), "-J", folder, *installation.libs()]
        compiled = _said([compiler, *flags, "-o", str(program)], folder)
        yield Finding("a host compiles", compiled.returncode == 0, _last(compiled))
        if compiled.returncode == 0:
            yield from _running(_said([str(program)], folder))


def _running(done: subprocess.CompletedProcess[str]) -> Iterator[Finding]:
    lines = done.stdout.splitlines()
    theirs = lines[0] if lines else _last(done)
    ours = version("tradewind")
    yield Finding("versions agree", theirs == ours, f"library {theirs}, package {ours}")
    answered = len(lines) > 1 and lines[1] == "config"
    told = f"{sys.executable}" if answered else " ".join(lines[1:]) or _last(done)
    yield Finding("Python is found", answered, told)


def _said(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    environment = {"TRADEWIND_PYTHON": sys.executable} | dict(os.environ)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).split("\n")
    return next((line for line in reversed(lines) if line.strip()), done.args[0])
