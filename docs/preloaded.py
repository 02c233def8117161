"""Runs ``tradewind`` commands in forks of one process that has loaded what they need.

A command spends most of its seconds loading libraries; the pages have dozens of commands. As a program it
reads one request a line, as JSON: ``argv``, ``cwd``, ``env`` and the file ``out`` for what is printed. It
answers each with the exit code.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Self

LOADED = ("torch", "xarray", "netCDF4", "matplotlib.figure", "tradewind.cli", "tradewind.execute")


class Preloaded:
    """The other end: starts the process when it is first needed, and ends it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.communicate()

    def run(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> tuple[int, str]:
        """Return exit code and output of ``tradewind`` with these arguments."""
        if self._process is None:
            command = [sys.executable, __file__]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._process = subprocess.Popen(command, text=True, env={**env}, **pipes)
        with NamedTemporaryFile("r", encoding="utf-8") as out:
            request = {"argv": [*argv], "cwd": str(cwd), "env": {**env}, "out": out.name}
            code = self._ask(self._process, json.dumps(request))
            return code, out.read()

    def _ask(self, process: subprocess.Popen[str], request: str) -> int:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        process.stdin.write(request + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())


def answer(request: Mapping[str, Any]) -> int:
    """Run one request in a fork; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        code = _run(request)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(request: Mapping[str, Any]) -> int:
    """Do in this process what a new one would."""
    out = os.open(request["out"], os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path.insert(0, request["cwd"])
    sys.argv = ["tradewind", *request["argv"]]
    try:
        runpy.run_module("tradewind", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main() -> None:
    """Load everything, then answer until there are no more requests."""
    for name in LOADED:
        import_module(name)
    for line in sys.stdin:
        code = answer(json.loads(line))
        sys.stdout.write(f"{code}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
