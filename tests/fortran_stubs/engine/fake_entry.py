"""A small stand-in for ``tradewind.hosting.entry``: one component that doubles, in plain Python, soon loaded.

What is named in the config's file name goes wrong, such as ``fails-in-open.yaml``.
"""

from __future__ import annotations

import ctypes
import signal  # noqa: F401 - for what importing it does to a host
import sys
from typing import Any

from tradewind.errors import DomainError, RankError
from tradewind.hosting.failing import CallError, Code, told

__all__ = ["nothing", "open", "told"]
IMPORT, EXPORT = 1, 2
REAL64 = 2


class Doubling:
    def __init__(self, session: Session) -> None:
        self.session = session
        self.values: dict[str, list[float]] = {"x": [1.0, 2.0, 3.0]}
        self.bound: dict[str, Any] = {}
        self.step: Any = None

    def describe(self) -> None:
        self.session.fail("describe")

    def set_grid(self, index: Any, lon: Any, lat: Any, mask: Any) -> None:
        say("grid", index.tolist(), lon.tolist(), lat.tolist(), mask)

    def fields(self) -> list[tuple[str, str, int, int, tuple[int, ...]]]:
        return [("x", "m s-1", IMPORT, REAL64, (3,)), ("y", "m s-1", EXPORT, REAL64, (3,))]

    def put(self, what: int, name: str, view: Any, *how: Any) -> None:
        self.session.fail("put")
        if name not in {"x", "y"}:
            raise CallError(Code.FIELD, "there is no such field", component="double", field=name)
        self.values[name] = view.tolist()

    def bind(self, name: str, view: Any, *how: Any) -> None:
        self.bound[name] = view

    def get(self, what: int, name: str, view: Any, *how: Any) -> None:
        for i, value in enumerate(self.values[name]):
            view[i] = value

    def run(self, time: float, dt: float) -> None:
        self.session.fail("run")
        if self.step is not None:
            code = self.step(time, dt)
            if code:
                raise CallError(Code.MODEL, f"the host's step answers {code}", component="double")
            return
        x = self.bound["x"].tolist() if "x" in self.bound else self.values["x"]
        self.values["y"] = [2.0 * value for value in x]
        if "thirds" in self.session.config:
            third = x[0] / x[2]
            self.values["y"] = [2.0 * third, third - 1 / 3, 0.0]
        if "divides" in self.session.config:
            divide()

    def enroll(self, step: Any, tangent: Any, adjoint: Any) -> None:
        self.step = step


class Session:
    def __init__(self, config: str, comm: int | None) -> None:
        self.config = config
        self.rank = self.size = 0
        if comm is not None:
            from mpi4py import MPI

            self.comm = MPI.Comm.f2py(comm)
            self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()
        self.fail("open")

    @property
    def abort_on_error(self) -> bool:
        return "returns" not in self.config

    def fail(self, phase: str) -> None:
        if f"fails-in-{phase}" in self.config:
            raise DomainError(f"asked to fail in {phase}")
        if f"fails-on-one-in-{phase}" in self.config and self.size > 1:
            self.agree(phase)
        if f"exits-in-{phase}" in self.config:
            sys.exit(3)
        if f"deep-in-{phase}" in self.config:
            self.fail_deeply(200)

    def agree(self, phase: str) -> None:
        """All ranks raise together; the last one has the reason."""
        failing = self.comm.allreduce(self.rank if self.rank == self.size - 1 else 0)
        if failing == self.rank:
            raise DomainError(f"asked to fail in {phase} on rank {self.rank}")
        raise RankError(f"rank {failing} failed")

    def fail_deeply(self, depth: int) -> None:
        # each level has a line of its own, so that Python does not fold them
        if not depth:
            raise DomainError("at the bottom")
        if depth % 2:
            self.fail_deeply(depth - 1)
        else:
            self.fail_deeply(depth - 1)

    def component(self, name: str) -> Doubling:
        if name != "double":
            raise CallError(Code.FIELD, "there is no such component", component=name)
        return Doubling(self)

    def times(self) -> tuple[float, float, float]:
        return (0.0, 10.0, 1.0)

    def close(self) -> None:
        self.fail("close")
        say("closed")


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def divide() -> None:
    """Raise every floating-point flag, as numpy does in good faith."""
    libm = ctypes.CDLL("libm.so.6")
    for function in (libm.log, libm.sqrt, libm.exp):
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
    libm.log(0.0), libm.sqrt(-1.0), libm.exp(1e6)


def open(config: str, comm: int | None) -> Session:
    return Session(config, comm)


def nothing() -> None:
    """Do nothing."""
