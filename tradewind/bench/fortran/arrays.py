"""Arrays of every rank, kind and form through Fortran, beside what Python made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np

from tradewind.bench.fortran.forms import TYPES, Case, cases, program
from tradewind.bench.fortran.hosts import STRICT, TRAPS, compiler, said
from tradewind.fortran.installation import Installation

NUMPY = {"real32": np.float32, "real64": np.float64, "int32": np.int32, "int64": np.int64}


def count(prefix: Path) -> tuple[int, int]:
    """Return how many arrays were handed over, and how many arrived and came back as they were.

    Parameters
    ----------
    prefix
        Where the library is installed.
    """
    every = cases(TYPES, range(8))
    return len(every), sum(correct for _, correct in tried(prefix, every))


def tried(prefix: Path, every: Sequence[Case], *module: str) -> list[tuple[Case, bool]]:
    """Return each case, with whether it was right on both sides.

    Parameters
    ----------
    prefix
        Where the library is installed.
    every
        What is tried.
    module
        Sources and flags before the program, such as another module of the same name.

    Raises
    ------
    DataError
        When the program does not compile, or ends before its last case.
    """
    flags = [*module, *Installation(prefix).cflags(), *Installation(prefix).libs()]
    with TemporaryDirectory(prefix="tradewind-arrays-") as work:
        folder = Path(work)
        came_back = there_and_back(every, config(every, folder), folder, flags)
        arrived = seen(every, folder)
    return [(case, arrived[case] and right) for case, right in zip(every, came_back, strict=True)]


def kept(prefix: Path, every: Sequence[Case], *module: str) -> list[tuple[Case, bool]]:
    """Return each case, with whether the library without Python gave back what was put; as in `tried`."""
    flags = [*module, *Installation(prefix).cflags(), *Installation(prefix).libs("tradewind_stub")]
    quiet = [replace(case, kept=True) for case in every]
    with TemporaryDirectory(prefix="tradewind-arrays-") as work:
        right = there_and_back(quiet, declaration(quiet), Path(work), flags)
    return list(zip(every, right, strict=True))


def there_and_back(every: Sequence[Case], config: str, folder: Path, flags: Sequence[str]) -> list[bool]:
    """Return for each case whether Fortran got what it should."""
    (folder / "run.yaml").write_text(config)
    (folder / "arrays.f90").write_text(program(every))
    compile_(folder, flags)
    said([str(folder / "arrays"), "run.yaml", "answers"], folder)
    with (folder / "answers").open("rb") as answers:
        return [returned(case, answers) for case in every]


def declaration(every: Sequence[Case]) -> str:
    """Return the fields for the library without Python."""
    places = {case.place: case for case in every}
    lines = [f"component {name}\nparameter x 1 {case.kind} {extents(case)}" for name, case in places.items()]
    return "\n".join(["tradewind fields 1", *lines, ""])


def extents(case: Case) -> str:
    """Return extents as a declaration of fields has them."""
    return ",".join(map(str, case.extents)) or "-"


def config(every: Sequence[Case], folder: Path) -> str:
    """Return a run config with a component for each kind and rank."""
    places = {case.place: case for case in every}
    components = "\n".join(
        f"  {name}:\n    plugin: kinds\n"
        f"    options: {{kind: {case.kind}, rank: {case.rank}, seen: {folder / name}}}"
        for name, case in places.items()
    )
    run = "run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}"
    return f"plugins: ['tradewind.bench.fortran.kinds:plugin']\n{run}\ncomponents:\n{components}\n"


def compile_(folder: Path, flags: Sequence[str]) -> None:
    """Compile the program, as strictly as hosts are."""
    strict = [*STRICT, "-frecursive", *TRAPS, f"-J{folder}", str(folder / "arrays.f90")]
    said([compiler(), *strict, *flags, "-o", str(folder / "arrays")], folder)


def numbers(case: Case) -> np.ndarray:
    """Return what is put, in Fortran's order of elements; shape ``(size,)``."""
    return (case.base + 1 + np.arange(case.size)).astype(NUMPY[case.kind])


def returned(case: Case, answers: BinaryIO) -> bool:
    """Return whether Fortran got what Python answered, and nothing beside it was written to."""
    code = int(np.frombuffer(answers.read(4), np.int32)[0])
    wanted = numbers(case)
    got = np.frombuffer(answers.read(wanted.nbytes), wanted.dtype)
    kept = int(np.frombuffer(answers.read(4), np.int32)[0])
    expected = wanted[::-1] + 1 if case.answered else wanted
    return code == 0 and kept == 1 and bool(np.array_equal(got, expected))


def seen(every: Sequence[Case], folder: Path) -> dict[Case, bool]:
    """Return whether the component saw what Fortran has put."""
    return {
        case: right for name in {c.place for c in every} for case, right in _seen_by(every, folder / name)
    }


def _seen_by(every: Sequence[Case], file: Path) -> Iterator[tuple[Case, bool]]:
    those = [case for case in every if case.place == file.name]
    came = np.frombuffer(file.read_bytes() if file.exists() else b"", NUMPY[those[0].kind])
    size = those[0].size
    for n, case in enumerate(those):
        yield case, bool(np.array_equal(came[n * size : (n + 1) * size], numbers(case)))
