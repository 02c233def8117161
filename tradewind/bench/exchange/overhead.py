"""What the coupled loop itself costs: the time of a run that does next to nothing, less that nothing.

Counted is everything between and around the models: the hook call of each step, taking exports, accumulating,
delivering, the ledger on both sides, checking what a component answers, and remembering it. Not counted is
what the models do within their steps: the same components are stepped again bare, by a plain loop that hands
on what they export. A chain of gauges on eight cells, one
rank, one core: as many exchanges as gauges, all steps of one length, no regridding. The overhead is divided
by exchanges times steps; each exchange bears its target's hook call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from tradewind.bench.exchange.toys import START, Gauge, Series, coupled, end, joined, participant
from tradewind.bench.timing import fastest
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Component, Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.plugins.caller import Part, StepCaller

Prepare = Callable[[], Callable[[], Any]]
GAUGES, STEPS, ROUNDS = 8, 48, 60
HOUR = timedelta(hours=1)
CELLS = Grid.latlon([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0])
TIMINGS = {
    "instant": Timing(),
    "accumulated_lagged": Timing(every=6 * HOUR, reduction=Reduction.MEAN, lag=1, initial=0.0),
}
"""What each exchange does: hand over at every step, or average over six steps and give it six steps later."""


def figures() -> dict[str, Any]:
    """Return microseconds per exchange and step: the worse way first, then each."""
    bare = Bare()
    work: dict[str, Prepare] = {name: _run(timing) for name, timing in TIMINGS.items()}
    seconds = fastest(work | {"bare": lambda: bare}, ROUNDS)
    per_exchange = 1e6 / (GAUGES * STEPS)
    found = {name: (seconds[name] - seconds["bare"]) * per_exchange for name in TIMINGS}
    return {
        "overhead_us_per_exchange": max(found.values()),
        **{f"overhead_us_{name}": value for name, value in found.items()},
        "overhead_bare_us_per_step": seconds["bare"] * per_exchange,
        "overhead_exchanges": GAUGES, "overhead_steps": STEPS,
    }  # fmt: skip


def chain(timing: Timing, steps: int = STEPS) -> CoupledRun:
    """Return a run of a source and gauges behind each other, called through hooks as in any run."""
    everybody = [_hooked("source", _source()), *(_hooked(f"gauge{n}", Gauge(CELLS)) for n in range(GAUGES))]
    names = ("x", *["given"] * (GAUGES - 1))
    exchanges = [
        joined(end(source, name), end(target, "x"), timing)
        for source, target, name in zip(everybody[:-1], everybody[1:], names, strict=True)
    ]
    return coupled({p.name: p for p in everybody}, exchanges, 6 * HOUR, steps // 6)


def _hooked(name: str, component: Component) -> Participant:
    caller = StepCaller(name, Part(name, component), None, ())
    return replace(participant(name, component, HOUR), answer=caller, plugin=name)


def _run(timing: Timing) -> Prepare:
    run = chain(timing)

    def prepare() -> Callable[[], Any]:
        run.rewind(run.start())
        return lambda: run.advance(run.clock.stop)

    return prepare


class Bare:
    """The chain's components, stepped by a plain loop."""

    def __init__(self) -> None:
        self.source, self.gauges = _source(), [Gauge(CELLS) for _ in range(GAUGES)]
        self.intervals = [Interval(START + n * HOUR, START + (n + 1) * HOUR) for n in range(STEPS)]

    def __call__(self) -> list[Tensor]:
        """Step all components; return what the gauges hold."""
        held = [State({"total": torch.zeros(1, CELLS.size, dtype=torch.float64)})] * GAUGES
        for interval in self.intervals:
            x = self.source.step(State(), {}, {}, interval)[0]["x"]
            for n, gauge in enumerate(self.gauges):
                exports, held[n] = gauge.step(held[n], {"x": x}, {}, interval)
                x = exports["given"]
        return [state.fields["total"] for state in held]


def _source() -> Series:
    return Series(CELLS, lambda _: torch.ones(CELLS.size, dtype=torch.float64))


def loop_matches_bare() -> bool:
    """Return whether the run's gauges hold what the bare loop says."""
    run = chain(TIMINGS["instant"])
    run.advance(START + STEPS * HOUR)
    return all(torch.equal(run.get(f"gauge{n}.total"), total) for n, total in enumerate(Bare()()))
