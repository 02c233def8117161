"""Peak memory of a gradient, with every step kept and with checkpoints, at several lengths of a run.

Each in a process of its own: ``python -m tradewind.bench.exchange.checkpointing keep 256`` writes the MiB
that recording a run and going back through it took beyond what the process held before. The run: a source
and a gauge on 64,800 cells (0.5 MiB a field), exchanging a mean of two steps, one step late.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tradewind.bench.checkout import python
from tradewind.bench.exchange.toys import START, UNITS, Gauge, coupled, end, joined, participant
from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.derivatives.replay import gradients
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Fields, Kind, Layouts, Spec, State, Variable
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.grids import Grid

HOUR = timedelta(hours=1)
LENGTHS = (64, 256, 1024)
"""Steps of each component."""
KINDS = {"keep": Keep, "checkpoints": Checkpoints}
MIB = 2**20


def figures() -> dict[str, Any]:
    """Return peaks in MiB, their ratio at the greatest length, and the exponents of their growth."""
    peaks = {kind: {n: _peak(kind, n) for n in LENGTHS} for kind in KINDS}
    kept, spared = (peaks[kind][LENGTHS[-1]] for kind in ("keep", "checkpoints"))
    found: dict[str, Any] = {"checkpointing_memory_ratio": kept / spared, "checkpointing_steps": LENGTHS[-1]}
    for kind, by_length in peaks.items():
        found |= {f"peak_mib_{kind}_{n}": value for n, value in by_length.items()}
        found[f"peak_growth_{kind}"] = growth(by_length)
    return found


def growth(peaks: dict[int, float]) -> float:
    """Return the exponent p of peak ~ steps^p, by least squares of logarithms."""
    slope, _ = np.polyfit([log(n) for n in peaks], [log(peak) for peak in peaks.values()], 1)
    return float(slope)


def _peak(kind: str, steps: int) -> float:
    return float(python(["-m", __name__, kind, str(steps)]))


class Driven:
    """Exports its parameter times the hours since the start."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def describe(self) -> Spec:
        """Return the spec: a flux, and the parameter that scales it."""
        x = Variable("x", UNITS, self.grid, Kind.FLUX_INTENSIVE)
        return Spec(exports=(x,), parameters=(Variable("rate", UNITS, self.grid),), linear=True)

    def initialize(self, spec: Spec, layouts: Layouts, members: int) -> State:
        """Return an empty state."""
        return State()

    def step(
        self, state: State, imports: Fields, parameters: Fields, interval: Interval
    ) -> tuple[Fields, State]:
        """Export a field of its own for every step."""
        return {"x": parameters["rate"] * ((interval.stop - START) / HOUR)}, state

    def finalize(self) -> None:
        """Nothing is held."""


def case(steps: int) -> CoupledRun:
    """Return a run of so many steps of one hour."""
    grid = Grid.latlon(-89.5 + np.arange(180.0), 0.5 + np.arange(360.0))
    two = {
        "source": participant("source", Driven(grid), HOUR),
        "gauge": participant("gauge", Gauge(grid), HOUR),
    }
    timing = Timing(every=2 * HOUR, reduction=Reduction.MEAN, lag=1, initial=0.0)
    exchange = joined(end(two["source"], "x"), end(two["gauge"], "x"), timing)
    return coupled(two, [exchange], 2 * HOUR, steps // 2)


def gradient(run: CoupledRun, kind: str) -> torch.Tensor:
    """Return the gradient of the sum of all gauges at the end with respect to the source's rate."""
    rate = torch.ones(1, run.participants[0].layouts["x"].n_local, dtype=torch.float64)
    run.rewind(run.start())
    with run.recording(KINDS[kind]) as tape:
        run.put("source.rate", rate)
        run.advance(run.clock.stop)
    found = gradients(run, tape, {("gauge.total", run.clock.stop): torch.ones_like(rate)[None]})
    return found["source.rate", START][0]


def main() -> None:
    """Write what one gradient takes beyond what was held before, MiB."""
    kind, steps = sys.argv[1], int(sys.argv[2])
    gradient(case(4), kind)  # whatever is imported or allocated once
    run, before = case(steps), _resident()
    gradient(run, kind)
    # ru_maxrss would begin with what the process that started this one held
    sys.stdout.write(f"{(_status('VmHWM') - before) / MIB}\n")


def _resident() -> int:
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return a line of what the system says of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
