"""Finding plugins: metadata and source files are read on rank 0 and handed to the others.

Thousands of ranks that each list the installed packages bring a parallel file system to its knees.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TypeVar, cast

from tradewind.couplers.ranks.parallel import Communicator
from tradewind.errors import PluginError, TradewindError, did_you_mean
from tradewind.plugins.registry import Blame

GROUP = "tradewind.plugins"
T = TypeVar("T")


@dataclass(frozen=True)
class Installed:
    """An entry point of the group ``tradewind.plugins``."""

    name: str
    path: str
    distribution: str = ""
    version: str = ""


@dataclass(frozen=True)
class Source:
    """A plugin's source file, as read on rank 0."""

    file: Path
    text: bytes

    @property
    def sha256(self) -> str:
        """Hash of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text).hexdigest()

    @property
    def module_name(self) -> str:
        """Name of the module that the file becomes; it holds the hash, so two files never clash."""
        return f"tradewind_plugin_{self.file.stem}_{self.sha256[:12]}"

    def load(self) -> ModuleType:
        """Execute the text and return it as a module; nothing is read from disk again.

        Raises
        ------
        PluginError
            When the text does not compile or run.
        """
        if self.module_name in sys.modules:
            return sys.modules[self.module_name]
        module = ModuleType(self.module_name)
        module.__file__ = str(self.file)
        # pydantic and dataclasses look annotations up in the table of modules
        sys.modules[self.module_name] = module
        try:
            with Blame(str(self.file), "the file cannot be run", "mend it, or take it out of `plugins:`"):
                exec(compile(self.text, str(self.file), "exec"), module.__dict__)
        except BaseException:
            del sys.modules[self.module_name]
            raise
        return module


def on_root(comm: Communicator, work: Callable[[], T]) -> T:
    """Do `work` on rank 0 only and return its result, or raise its error, on every rank."""
    outcome: T | TradewindError | None = comm.bcast(_attempt(work) if comm.rank == 0 else None)
    if isinstance(outcome, TradewindError):
        raise outcome
    return cast(T, outcome)


def _attempt(work: Callable[[], T]) -> T | TradewindError:
    try:
        return work()
    except TradewindError as error:
        return error


def installed(comm: Communicator) -> tuple[Installed, ...]:
    """Return the entry points of all installed plugins, by name."""
    return on_root(comm, _entry_points)


def _entry_points() -> tuple[Installed, ...]:
    found = (
        Installed(e.name, e.value, e.dist.name if e.dist else "", e.dist.version if e.dist else "")
        for e in metadata.entry_points(group=GROUP)
    )
    return tuple(sorted(set(found), key=lambda e: (e.name, e.distribution)))


def pick(name: str, known: Sequence[Installed]) -> Installed:
    """Return the one installed plugin called `name`.

    Raises
    ------
    PluginError
        When none is (names the nearest), or several distributions bring one of that name.
    """
    found = [e for e in known if e.name == name]
    if not found:
        nearest = did_you_mean(name, [e.name for e in known])
        raise PluginError(
            f"no plugin {name!r} is installed",
            hint=f"{nearest}; or install the package that brings it",
        )
    if len(found) > 1:
        brought = ", ".join(e.distribution for e in found)
        raise PluginError(f"plugin {name!r} is brought by several distributions: {brought}")
    return found[0]


def read(files: Sequence[Path], comm: Communicator) -> tuple[Source, ...]:
    """Read plugin files on rank 0 and return their sources on every rank.

    Raises
    ------
    PluginError
        When a file cannot be read.
    """
    return on_root(comm, lambda: tuple(_read(Path(f)) for f in files))


def _read(file: Path) -> Source:
    try:
        return Source(file.resolve(), file.read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise PluginError(
            f"the plugin file cannot be read: {reason}",
            where=str(file),
            hint="paths in `plugins:` are relative to the run config",
        ) from error
