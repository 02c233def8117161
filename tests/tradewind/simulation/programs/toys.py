"""A source that never does the same twice and a tank that fills, for forward runs of a few milliseconds.

The source draws random numbers from a stream in its state; the tank remembers what it holds. With
``TOY_KILL=7`` in the environment, the process kills itself in the seventh step of the tank; with
``TOY_WAIT=7`` it waits there to be ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
import torch

from tradewind import Grid, Kind, Spec, State, Variable, hookimpl
from tradewind.plugins.options import Options

COARSE = Grid.latlon([10.0, 30.0], [0.0, 20.0, 40.0])
FINE = Grid.latlon(5.0 + 5.0 * np.arange(7), -5.0 + 10.0 * np.arange(6))


class SourceOptions(Options):
    strength: float = 1.0


class Source:
    """Exports ``strength (1 + draw)`` in kg m-2 s-1."""

    def __init__(self, options: SourceOptions) -> None:
        self.options = options

    def describe(self) -> Spec:
        flux = Variable("flux", "kg m-2 s-1", COARSE, Kind.FLUX_INTENSIVE, cell_methods="time: mean")
        return Spec(exports=(flux,), state=(Variable("walk", "1", COARSE),))

    def initialize(self, spec, layouts, members):
        return State({"walk": torch.zeros(members, COARSE.size, dtype=torch.float64)}, {"draws": 0})

    def step(self, state, imports, parameters, interval):
        draws = int(state.extras["draws"])
        generator = torch.Generator().manual_seed(1000 + draws)
        walk = state.fields["walk"] + torch.rand(COARSE.size, generator=generator, dtype=torch.float64)
        return {"flux": self.options.strength * (1.0 + walk)}, State({"walk": walk}, {"draws": draws + 1})

    def finalize(self) -> None: ...


class Tank:
    """``amount += seconds * inflow``, in two layers: all in the lower one, a tenth of it in the upper."""

    def __init__(self, options: Options) -> None:
        self.steps = 0
        self.last, self.waits = (int(os.environ.get(f"TOY_{name}", "0")) for name in ("KILL", "WAIT"))

    def describe(self) -> Spec:
        return Spec(
            imports=(Variable("inflow", "kg m-2 s-1", FINE, Kind.FLUX_INTENSIVE),),
            exports=(Variable("level", "kg m-2", FINE),),
            state=(Variable("amount", "kg m-2", FINE, extra=(("layer", 2),)),),
        )

    def initialize(self, spec, layouts, members):
        return State({"amount": torch.zeros(members, 2, FINE.size, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        self.steps += 1
        if self.steps == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.steps == self.waits:
            sys.stderr.write("waiting\n")
            sys.stderr.flush()
            time.sleep(60)
        more = interval.seconds * imports["inflow"]
        amount = state.fields["amount"] + torch.stack([more, 0.1 * more], dim=1)
        return {"level": amount[:, 0]}, State({"amount": amount})

    def finalize(self) -> None: ...


class Sieve(Tank):
    """A tank that says nothing of what it takes, on half of the area: the other half of the flux is lost."""

    def describe(self) -> Spec:
        grid = Grid.latlon([10.0, 30.0], [0.0, 20.0])
        return Spec(imports=(Variable("inflow", "kg m-2 s-1", grid, Kind.FLUX_INTENSIVE),))

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {}, state


@hookimpl
def tradewind_register_component(register):
    register("source", factory=f"{__name__}:Source", options=f"{__name__}:SourceOptions", summary="a source")
    register("tank", factory=f"{__name__}:Tank", summary="a tank")
    register("sieve", factory=f"{__name__}:Sieve", summary="a sieve")
