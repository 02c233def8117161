"""Surroundings of a host in which Python cannot work, or a disk is full."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tradewind.bench.fortran.misuse_cases import CONFIGS, PLUGINS

Environment: TypeAlias = Mapping[str, str]

UNIMPORTABLE = "raise ImportError('this package is broken')\n"
EXITING = "import sys\n\nsys.exit(5)\n"


def furnish(folder: Path, sources: Path) -> None:
    """Write the run configs, the plugins and the damaged files of all cases.

    Parameters
    ----------
    sources
        Folder with the pond and the programs.
    """
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    for name, text in PLUGINS.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "pond.py").write_text((sources / "pond.py").read_text())
    for name in ("binary.yaml", "damaged.nc", "damaged.safetensors"):
        (folder / name).write_bytes(bytes(range(128, 256)) * 4)
    (folder / "full").mkdir()


def environment(name: str, folder: Path, sources: Path) -> Environment:
    """Return what is different in the surroundings of a case; empty where they are sound."""
    return PLACES[name](folder, sources) if name else {}


def _shadowed(package: str, text: str) -> Callable[[Path, Path], Environment]:
    """Return surroundings in which another package of that name comes first."""

    def place(folder: Path, sources: Path) -> Environment:
        first = folder / f"first_{abs(hash((package, text)))}"
        (first / package).mkdir(parents=True, exist_ok=True)
        (first / package / "__init__.py").write_text(text)
        return {"PYTHONPATH": str(first)}

    return place


def _bare(folder: Path, sources: Path) -> Environment:
    """Return surroundings with a virtual environment that has no packages."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    (folder / "bare" / "bin").mkdir(parents=True, exist_ok=True)
    python = folder / "bare" / "bin" / "python"
    if not python.exists():
        python.symlink_to(base)
    (folder / "bare" / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n"
    )
    return {"TRADEWIND_PYTHON": str(python)}


def _full(folder: Path, sources: Path) -> Environment:
    """Return surroundings in which there is no room left in the folder ``full``."""
    library = folder / "full_disk.so"
    source = str(sources / "full_disk.c")
    if not library.exists():
        subprocess.run(["gcc", "-shared", "-fPIC", source, "-o", str(library), "-ldl"], check=True)
    earlier = os.environ.get("LD_PRELOAD", "")
    return {"LD_PRELOAD": f"{library} {earlier}".strip()}


PLACES: Mapping[str, Callable[[Path, Path], Environment]] = {
    "full": _full,
    "no_python": lambda *_: {"TRADEWIND_PYTHON": "/nowhere/python"},
    "no_program": lambda *_: {"TRADEWIND_PYTHON": "/bin/false"},
    "no_libpython": lambda *_: {"TRADEWIND_LIBPYTHON": "/nowhere/libpython3.so"},
    "other_library": lambda *_: {"TRADEWIND_LIBPYTHON": "libm.so.6"},
    "bare_python": _bare,
    "no_home": lambda *_: {"PYTHONHOME": "/nowhere"},
    "numpy": _shadowed("numpy", UNIMPORTABLE),
    "numpy_exits": _shadowed("numpy", EXITING),
    "torch": _shadowed("torch", UNIMPORTABLE),
    "tradewind": _shadowed("tradewind", UNIMPORTABLE),
}
