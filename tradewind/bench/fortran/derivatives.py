"""Derivatives through the calls of a Fortran program: a 4D-Var loop on one to four ranks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.bench.fortran.hosts import compiled, drivers, launcher, ranks_possible, said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

RANKS = (1, 2, 3, 4)
RUN = "run: {start: 2000-01-01, stop: 2000-01-03, step: 6h}\n"
CIRCLE = "size: 20, forcing: 8.0"
CONFIGS = {
    "lorenz": f"{RUN}components: {{model: {{plugin: lorenz-96, options: {{{CIRCLE}}}}}}}\n",
    "shift": (
        f"{RUN}components:\n  model:\n    plugin: shift\n"
        "    options: {grid: {lat: [0, 10, 20], lon: [0, 10, 20, 30]}, columns: 1}\n"
    ),
    "learned": (
        f"plugins: ['tradewind.bench.fortran.learned:plugin']\n{RUN}components:\n  model:\n"
        f"    plugin: lorenz-96\n    options: {{{CIRCLE}}}\n    surrogate: stencil\n    run_as: surrogate\n"
    ),
}
CASES = (("lorenz", "run"), ("lorenz", "advance"), ("shift", "run"), ("learned", "run"))
"""What is tried: a model, and whether the program or the session keeps the time."""
ITERATIONS = 12
"""Of the minimisation, on one rank; on several it is not the minimum that matters."""


@dataclass(frozen=True)
class Found:
    """What the program has found in one case.

    Attributes
    ----------
    before, after
        Cost at the prior and at the analysis.
    dot_test, dot_test_of_library
        Relative, through all steps and about the last one (0: not asked).
    analysis
        Shape ``(cell,)``.
    """

    before: float
    after: float
    iterations: float
    dot_test: float
    dot_test_of_library: float
    taylor_slope: float
    analysis: Array


def measured(prefix: Path) -> dict[str, float]:
    """Return the largest dot test of all cases on one to four ranks, and the slope that is farthest from 2.

    Parameters
    ----------
    prefix
        Where the library is installed.

    Raises
    ------
    DataError
        When the program does not compile, or fails.
    """
    with TemporaryDirectory(prefix="tradewind-derivatives-") as work:
        folder = Path(work)
        program = compiled(prefix, drivers() / "fourdvar.f90", folder)
        every = [one for n in ranks_possible(RANKS) for one in tried(program, folder, n).values()]
    return {
        "dot_test": max(max(one.dot_test, one.dot_test_of_library) for one in every),
        "taylor_slope": max((one.taylor_slope for one in every), key=lambda slope: abs(slope - 2.0)),
    }


def tried(program: Path, folder: Path, ranks: int) -> dict[tuple[str, str], Found]:
    """Return what the program finds in every case on so many ranks."""
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text)
    arguments = [word for name, way in CASES for word in (f"{name}.yaml", way)]
    output, iterations = folder / f"found{ranks}", ITERATIONS if ranks == 1 else 1
    said([*launcher(ranks), str(program), str(output), str(iterations), *arguments], folder)
    return dict(zip(CASES, read(output), strict=True))


def read(output: Path) -> list[Found]:
    """Return what the program has written."""
    found: list[tuple[list[float], list[float]]] = []
    for line in output.read_text().splitlines():
        numbers = [float(word) for word in line.split()]
        if len(numbers) > 1:
            found.append((numbers, []))
        else:
            found[-1][1].extend(numbers)
    return [_found(figures, values) for figures, values in found]


def _found(figures: list[float], values: list[float]) -> Found:
    before, after, iterations, own, library, slope = figures
    return Found(before, after, iterations, own, library, slope, np.array(values))
