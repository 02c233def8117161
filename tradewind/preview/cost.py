"""Memory and time that an inversion can be expected to take.

Rates are rough: of two cores of a laptop, as `tradewind bench` measures them. How fast this machine
multiplies matrices is tried out, which takes a hundredth of a second. What has no known rate is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tradewind.config import RunAs
from tradewind.couplers.assimilation.covariance import DenseCovariance, DiagonalCovariance
from tradewind.findings.controlled import parts_of
from tradewind.preview.places import cells_of

if TYPE_CHECKING:
    from tradewind.assembly import Assembly, Member

NUMBER = 8
"""Bytes of a float64."""
LIBRARIES = 450 * 2**20
"""Bytes of the process itself: Python, torch, netCDF."""
BATCH = 4096
"""Rows of K that are held at a time, where the method does not say."""
PER_CELL_STEP = 1.0e-8
"""Seconds of the transport model for one layer of one cell, one substep and one run of many."""
ADJOINT = 4.0
"""Time of an adjoint run over that of a run of many."""
PER_COLUMN = 1.0e-3
"""Seconds of the emulator for one emitting cell and window."""
TRIED = 384
"""Side of the matrices that are multiplied to try the machine."""


@dataclass(frozen=True)
class Cost:
    """What an inversion can be expected to take.

    Attributes
    ----------
    elements, observations, windows
        n, m, and how many windows share the latter.
    memory
        Bytes by part, of one rank.
    seconds
        Seconds by part, of one rank that does everything; None where no rate is known.
    answered_by
        Who makes K.
    columns, rows
        Of K, in all windows together: columns that are asked of a model, or rows of its adjoint.
    """

    elements: int
    observations: int
    windows: int
    memory: dict[str, int]
    seconds: dict[str, float | None]
    answered_by: str
    columns: int
    rows: int

    @property
    def bytes(self) -> int:
        """Memory in all."""
        return sum(self.memory.values())

    @property
    def total_seconds(self) -> float | None:
        """Time in all; None where a part of it is not known."""
        known = [value for value in self.seconds.values() if value is not None]
        return sum(known) if len(known) == len(self.seconds) else None


@dataclass(frozen=True)
class Size:
    """How large an inversion is: elements, observations of each window, and what its method is told."""

    n: int
    counts: tuple[int, ...]
    options: Any
    length: timedelta
    dense_prior: bool

    @classmethod
    def of(cls, assembly: Assembly) -> Size:
        """Take the sizes of a run with control, observations and a method."""
        control, observe, solve = assembly.control, assembly.observe, assembly.config.solve
        if control is None or observe is None or solve is None:
            return cls(0, (), None, timedelta(0), dense_prior=False)
        seen = observe.windows(assembly.windows)
        simple = all(isinstance(part.covariance, DiagonalCovariance) for part in parts_of(control))
        return cls(
            n=len(control.prior),
            counts=tuple(len(one) for one in seen.values()),
            options=solve.options,
            length=assembly.clock.stop - assembly.clock.start,
            dense_prior=not simple or isinstance(control.covariance, DenseCovariance),
        )

    @property
    def m(self) -> int:
        """Observations of all windows."""
        return sum(self.counts)

    @property
    def batch(self) -> int:
        """Rows of K that are held at a time."""
        return min(int(getattr(self.options, "batch", BATCH)), max(self.counts, default=0))

    @property
    def form(self) -> str:
        """In which space the method solves."""
        return str(getattr(self.options, "form", "information"))

    @property
    def periods(self) -> int:
        """Periods of a rolling inversion; 1 of any other."""
        every = getattr(self.options, "every", None)
        return 1 if every is None else max(ceil(self.length / every), 1)

    @property
    def variants(self) -> int:
        """Inversions under other hyper-parameters."""
        asked = getattr(self.options, "ensemble", None)
        found = 1
        for values in () if asked is None else dict(asked).values():
            found *= max(len(values or (1,)), 1)
        return found if asked is not None else 0


def cost_of(assembly: Assembly) -> Cost:
    """Return what the inversion of a run can be expected to take; nothing of the model is run."""
    size = Size.of(assembly)
    who, per_window, columns, rows = _jacobian(assembly, size)
    rate = flops()
    seconds = {
        "jacobian": None if per_window is None else per_window * len(size.counts),
        "products": 2.0 * size.m * size.n**2 / rate,
        "solution": (size.variants + 1) * 4.0 * size.n**3 / rate,
    }
    return Cost(
        size.n, size.m, len(size.counts), dict(_memory(size)), seconds, who, columns, rows,
    )  # fmt: skip


def _memory(size: Size) -> Iterator[tuple[str, int]]:
    square = NUMBER * size.n**2
    yield "libraries", LIBRARIES
    yield "products", square + NUMBER * size.n
    yield "batch of K", NUMBER * size.batch * size.n
    # its root, the factor, covariance and averaging kernel
    yield "solution", 4 * square
    if size.dense_prior:
        yield "prior covariance", 2 * square
    if size.periods > 1:
        yield "products of all periods", (size.periods - 1) * square
    if size.form == "gain":
        yield "K of all windows", NUMBER * size.m * size.n + 2 * NUMBER * size.m**2
    if size.variants:
        yield "other hyper-parameters", NUMBER * size.variants * size.n


def flops() -> float:
    """Return how many operations a second this machine does where it multiplies matrices."""
    matrix = torch.ones(TRIED, TRIED, dtype=torch.float64)
    matrix @ matrix
    begin = perf_counter()
    matrix @ matrix
    return float(2.0 * TRIED**3 / max(perf_counter() - begin, 1e-9))


# ---------------------------------------------------------------------- who makes K
def _jacobian(assembly: Assembly, size: Size) -> tuple[str, float | None, int, int]:
    """Return who makes K, seconds of one window, and the columns or rows of all windows."""
    name, member = _observed(assembly)
    if member is None:
        return "", None, 0, 0
    windows = len(size.counts)
    if member.section.run_as in {RunAs.SURROGATE, RunAs.GUARDED}:
        cells = _emitting(assembly, member)
        known = member.section.surrogate == "jacobian-emulator"
        who = f"{name}: {member.section.surrogate}"
        return who, cells * PER_COLUMN if known else None, cells * windows, 0
    run = _run_seconds(member, assembly)
    largest = ceil(size.m / max(windows, 1))
    by_rows = largest < size.n
    count = largest * ADJOINT if by_rows else size.n
    seconds = None if run is None else run * count
    columns, rows = (0, size.m) if by_rows else (size.n * windows, 0)
    return f"{name}: {member.section.plugin}", seconds, columns, rows


def _observed(assembly: Assembly) -> tuple[str, Member | None]:
    """Return the first observed component that has imports: between emissions and observations."""
    ports = () if assembly.observe is None else assembly.observe.observes
    names = [port.partition(".")[0] for port in ports]
    fed = [name for name in names if assembly.members[name].spec.imports]
    name = next(iter(fed or names), "")
    return name, assembly.members.get(name)


def _emitting(assembly: Assembly, member: Member) -> int:
    """Return how many cells of a component what x sets emits into: each is a column of the emulator."""
    grid, found = next(iter(member.layouts.values())).grid, [np.zeros(0, dtype=np.int64)]
    for part in () if assembly.control is None else parts_of(assembly.control):
        if part.layout is not None:
            own = part.layout.grid
            inside = part.labels.numpy().reshape(-1, own.size).max(axis=0) >= 0
            places = {"longitude": own.lon[inside], "latitude": own.lat[inside]}
            found.append(cells_of(grid, places, int(inside.sum())))
    return int((np.unique(np.concatenate(found)) >= 0).sum())


def _run_seconds(member: Member, assembly: Assembly) -> float | None:
    """Return the time of one run of a window of the reference transport; None of other models."""
    options = member.section.options
    if member.section.plugin != "transport" or not assembly.windows:
        return None
    layers = len(options.layers) - 1
    steps = ceil(assembly.windows[0].seconds / options.substep)
    cells = next(iter(member.layouts.values())).grid.size
    return float(PER_CELL_STEP * cells * layers * steps)
