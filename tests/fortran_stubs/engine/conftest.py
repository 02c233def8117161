"""A C host that makes the calls it is told to, before a small stand-in for the project that loads at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tradewind

HERE = Path(__file__).parent
FACE = Path(tradewind.__file__).parent
BORROWED = ("errors.py", "hosting/embedding.py")


@dataclass(frozen=True)
class Answer:
    """What a call came to."""

    rank: int
    call: str
    code: str
    first: int
    where: str
    traced: bool
    message: str


@dataclass(frozen=True)
class Told:
    """What a host has printed."""

    exit: int
    lines: list[str]
    errors: str

    def answers(self, call: str) -> list[Answer]:
        """Return what came of the calls of one name, ranks mixed."""
        found = [line.split("|", 6) for line in self.lines]
        return [
            Answer(int(f[0]), f[1], f[2], int(f[3] or -1), f[4], f[5] == "traced", f[6])
            for f in found
            if len(f) == 7 and f[1] == call and f[3].lstrip("-").isdigit() | (not f[3])
        ]

    def answer(self, call: str) -> Answer:
        (found,) = self.answers(call)
        return found

    def rows(self, kind: str) -> list[list[str]]:
        """Return what else was printed, by its first word."""
        return [line.split("|")[2:] for line in self.lines if line.split("|")[1:2] == [kind]]

    @property
    def codes(self) -> list[str]:
        """Return call and code of everything, in order."""
        return [f"{f[1]} {f[2]}" for f in (line.split("|") for line in self.lines) if len(f) == 7]


Host = Callable[..., Told]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "calls(text, ranks=0): what the host is to call")


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Return a folder with a package `tradewind` that has only what the C library calls."""
    package = tmp_path / "standing"
    (package / "tradewind" / "hosting").mkdir(parents=True)
    (package / "tradewind" / "__init__.py").touch()
    (package / "tradewind" / "hosting" / "__init__.py").touch()
    for name in BORROWED:
        (package / "tradewind" / name).symlink_to(FACE / name)
    for name in ("entry", "failing"):
        (package / "tradewind" / "hosting" / f"{name}.py").symlink_to(HERE / f"fake_{name}.py")
    return package


@pytest.fixture
def host(compile_host: Any, launch: Any, hosting: Any, stand_in: Path) -> Host:
    """Return a function that runs the host: ``host("init x.yaml; put x 1,2,3; run", ranks=2, env={...})``."""
    without = () if hosting.mpiexec else ("-DNO_MPI",)
    program = compile_host(HERE / "host.c", *without, "-Wl,--no-as-needed", "-lm", "-pthread")

    def run(calls: str, *, ranks: int = 0, check: bool = True, env: dict[str, str] | None = None) -> Told:
        words = calls.replace(";", " ; ").split()
        environment = {"PYTHONPATH": str(stand_in), **(env or {})}
        start = ["mpi"] if ranks else []
        done = launch(program, *start, *words, ranks=ranks, check=check, env=environment, timeout=60)
        return Told(done.returncode, done.stdout.splitlines(), done.stderr)

    return run


def calls_of(item: pytest.Item) -> tuple[str, int]:
    """Return what a test wants called, and by how many ranks."""
    mark = item.get_closest_marker("calls")
    assert mark is not None
    return mark.args[0], mark.kwargs.get("ranks", 0)


def section(told: Told, name: str) -> Told:
    """Return what each rank has printed after this mark and before the next."""
    lines, where = [], dict[str, str]()
    for line in told.lines:
        rank, _, rest = line.partition("|")
        if rest.startswith("mark|"):
            where[rank] = rest.removeprefix("mark|")
        elif where.get(rank, next(iter(where.values()), "")) == name:
            lines.append(line)
    return Told(told.exit, lines, told.errors)


@pytest.fixture(scope="session")
def heard() -> dict[object, Told]:
    """Return what hosts have printed, by module and number of ranks."""
    return {}


@pytest.fixture
def told(request: pytest.FixtureRequest, host: Host, heard: dict[object, Told]) -> Told:
    """Return what came of the calls of this test's mark; those of a module are made in one process."""
    _, ranks = calls_of(request.node)
    key = request.node.path, ranks
    if key not in heard:
        alike = [i for i in request.session.items if i.path == key[0] and i.get_closest_marker("calls")]
        texts = {i.name: calls_of(i)[0] for i in alike if calls_of(i)[1] == ranks}
        heard[key] = host("; ".join(f"mark {name}; {text}" for name, text in texts.items()), ranks=ranks)
    return section(heard[key], request.node.name)
