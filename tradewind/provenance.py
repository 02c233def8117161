"""Where a result comes from: versions, commit, machine, command, and hashes of what it read."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tradewind.errors import DataError

LIBRARIES = ("numpy", "scipy", "torch", "xarray", "netCDF4", "pydantic", "pluggy", "mpi4py", "esmpy")


def version() -> str:
    """Return the version of tradewind; ``unknown`` when it is not installed as a distribution."""
    return versions(("tradewind",)).get("tradewind", "unknown")


def versions(names: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """Return the versions of those distributions that are installed; nothing is imported."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path | None = None) -> str | None:
    """Return the git commit of the checkout that holds `folder`, with ``+`` behind it when files differ.

    Parameters
    ----------
    folder
        Where to look; the folder of tradewind itself by default.

    Returns
    -------
    None outside of a checkout, or where there is no git.
    """
    place = Path(__file__).parent if folder is None else folder
    head = _git(place, "rev-parse", "HEAD")
    # an environment inside somebody else's repository is no checkout of ours
    if not head or _git(place, "ls-files", "--error-unmatch", ".") is None:
        return None
    return head + ("+" if _git(place, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def cores() -> int:
    """Return how many cores this process may use (its affinity mask, where the system knows one)."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def torch_threads() -> int | None:
    """Return torch's number of threads, or None when torch is not loaded."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from error


def gather(config: str = "", inputs: Iterable[Path] = ()) -> dict[str, Any]:
    """Return what is to be known of this run, in plain strings, numbers and dictionaries.

    Parameters
    ----------
    config
        Text of the run config.
    inputs
        Files that the run reads; their hashes are recorded by name.

    Returns
    -------
    Keys ``tradewind``, ``commit`` (None outside of a checkout), ``python``, ``platform``, ``versions``,
    ``cores``, ``torch_threads``, ``command``, ``created`` (UTC, ISO 8601), ``config``, ``inputs``.

    Raises
    ------
    DataError
        When an input cannot be read.
    """
    return {
        "tradewind": version(),
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        "cores": cores(),
        "torch_threads": torch_threads(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": config,
        "inputs": {Path(p).name: sha256(p) for p in inputs},
    }
