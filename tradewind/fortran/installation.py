"""Where the library of hosts is installed, and the flags that follow from it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import DataError

ENDING = ".dylib" if sys.platform == "darwin" else ".so"
LIBRARIES = ("lib", "lib64")
"""Folders below a prefix; multiarch ones of Debian are looked up beside them."""


@dataclass(frozen=True)
class Installation:
    """A prefix that the library was installed under.

    Attributes
    ----------
    prefix
        What ``--build`` or ``cmake --install`` was given.
    """

    prefix: Path

    @property
    def include(self) -> Path:
        """Folder of ``tradewind.h`` and ``tradewind.mod``."""
        return self.prefix / "include"

    @property
    def lib(self) -> Path:
        """Folder of the libraries.

        Raises
        ------
        DataError
            When no library lies under the prefix.
        """
        found = [folder for folder in self._folders() if (folder / f"libtradewind{ENDING}").exists()]
        if not found:
            raise DataError(
                "libtradewind is not installed there",
                where=str(self.prefix),
                hint="`python -m tradewind.fortran --build PREFIX` builds it; --prefix names another",
            )
        return found[0]

    def _folders(self) -> list[Path]:
        return [
            *(self.prefix / name for name in LIBRARIES),
            *sorted(found.parent for found in (self.prefix / "lib").glob(f"*/libtradewind{ENDING}")),
        ]

    @property
    def cmake(self) -> Path:
        """Folder for ``-Dtradewind_DIR``."""
        return self.lib / "cmake" / "tradewind"

    @property
    def pkgconfig(self) -> Path:
        """Folder for PKG_CONFIG_PATH."""
        return self.lib / "pkgconfig"

    def has(self, library: str) -> bool:
        """Whether a library such as ``tradewind_frozen`` lies beside the main one."""
        return (self.lib / f"lib{library}{ENDING}").exists()

    def cflags(self) -> list[str]:
        """Return what a compiler needs to find the module and the header."""
        return [f"-I{self.include}"]

    def libs(self, library: str = "tradewind") -> list[str]:
        """Return what a linker needs; the program finds the library again when it runs."""
        return [f"-L{self.lib}", f"-Wl,-rpath,{self.lib}", f"-l{library}"]


def default_prefix() -> Path:
    """Return ``TRADEWIND_PREFIX`` if it is set, else the prefix of this Python environment."""
    return Path(os.environ.get("TRADEWIND_PREFIX") or sys.prefix)
