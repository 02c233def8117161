"""The options of ``python -m tradewind.fortran``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tradewind.errors import TradewindError
from tradewind.fortran.building import build, sources, write_fpm
from tradewind.fortran.checking import check
from tradewind.fortran.installation import Installation, default_prefix

ABOUT = """Build the library of Fortran, C and C++ hosts, and tell compilers where it is. \
PREFIX is TRADEWIND_PREFIX, or this Python environment, unless another is named."""

MODIFIERS = ("prefix", "stub")
"""Options that ask for nothing by themselves."""


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    made = argparse.ArgumentParser("python -m tradewind.fortran", description=ABOUT, allow_abbrev=False)
    made.add_argument("--prefix", type=Path, metavar="PREFIX", help="where the library is installed")
    made.add_argument("--stub", action="store_true", help="flags of the library without Python")
    add_deeds(made)
    return made


def add_deeds(does: argparse.ArgumentParser) -> None:
    """Add what can be asked for; several are answered on one line, as by pkg-config."""
    does.add_argument(
        "--build",
        type=Path,
        nargs="?",
        const=default_prefix(),
        metavar="PREFIX",
        help="build the library and install it there; -D options go to CMake",
    )
    does.add_argument(
        "--cflags", action="store_true", help="print the flags that find the module and the header"
    )
    does.add_argument("--libs", action="store_true", help="print the flags that link")
    does.add_argument("--cmake-dir", action="store_true", help="print the folder for -Dtradewind_DIR")
    does.add_argument("--pkg-config-dir", action="store_true", help="print the folder for PKG_CONFIG_PATH")
    does.add_argument("--fpm", type=Path, metavar="FOLDER", help="write the library as an fpm package there")
    does.add_argument("--sources", action="store_true", help="print the folder of the sources and templates")
    does.add_argument(
        "--check", action="store_true", help="compile and run a small host, and say what is missing"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was asked for; return the exit code: 0 done, 2 something to mend."""
    asked, rest = parser().parse_known_args(arguments)
    if wrong := [option for option in rest if asked.build is None or not option.startswith("-D")]:
        parser().error(f"unknown: {shlex.join(wrong)}")
    if not any(value for name, value in vars(asked).items() if name not in MODIFIERS):
        parser().error("nothing is asked for: try --build or --check")
    try:
        told, code = answer(asked, rest)
    except TradewindError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{told}\n")
    return code


def answer(asked: argparse.Namespace, options: Sequence[str]) -> tuple[str, int]:
    """Return what to print, and the exit code."""
    if asked.build is not None:
        made = build(asked.build, options)
        return f"installed under {made.prefix}", 0
    if asked.fpm is not None:
        return f"wrote {write_fpm(asked.fpm)}", 0
    if asked.sources:
        return str(sources()), 0
    installation = Installation((asked.prefix or default_prefix()).absolute())
    if asked.check:
        found = check(installation)
        return "\n".join(f.line for f in found), 0 if all(f.found for f in found if f.required) else 2
    return printed(asked, installation), 0


def printed(asked: argparse.Namespace, installation: Installation) -> str:
    """Return flags and folders of an installation, in one line for the shell."""
    library = "tradewind_stub" if asked.stub else "tradewind"
    ways: dict[str, Callable[[], list[str]]] = {
        "cflags": installation.cflags,
        "libs": lambda: installation.libs(library),
        "cmake_dir": lambda: [str(installation.cmake)],
        "pkg_config_dir": lambda: [str(installation.pkgconfig)],
    }
    return shlex.join(part for name, way in ways.items() if getattr(asked, name) for part in way())
