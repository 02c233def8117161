"""Derivatives through reductions, lags, lines, merges and moving fractions, with cells shared between ranks.

What must not depend on how many ranks there are is written as JSON. Usage: schedule_ranks.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
from mpi4py import MPI

from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder

torch.set_num_threads(1)
HOUR, START, CYCLE, MEMBERS = timedelta(hours=1), datetime(2000, 1, 1), 6, 2
SIZES = {"fast": 6, "slow": 8, "sea": 12}


def ring(cells):
    lat_bounds = np.array([-5.0, 5.0])
    return Grid.latlon(np.array([0.0]), np.arange(cells) * 360.0 / cells, lat_bounds=lat_bounds)


GRIDS = {name: ring(cells) for name, cells in SIZES.items()}


class Cells:
    """``u += sin(inflow) + hours · p``; exports ``x = u + u² / 8`` and the fraction ``f``; cell by cell."""

    def __init__(self, grid, fed):
        self.grid, self.fed = grid, fed

    def describe(self):
        u, p, x, f, inflow = (Variable(name, "1", self.grid) for name in ("u", "p", "x", "f", "inflow"))
        return Spec((inflow,) if self.fed else (), (x, f), (u,), (p,))

    def initialize(self, spec, layouts, members):
        return State({"u": torch.zeros(members, layouts["u"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        u = 0.9 * state.fields["u"] + interval.seconds / 3600 * parameters["p"]
        if self.fed:
            u = u + torch.sin(imports["inflow"])
        return {"x": u + u.square() / 8, "f": 1 / (1 + u.square())}, State({"u": u})

    def finalize(self): ...


def participant(name, layout, step):
    model = Cells(GRIDS[name], name == "sea")
    names = ("u", "p", "x", "f", *(["inflow"] if name == "sea" else []))

    def answer(call):
        return Step(*model.step(call.state, call.imports, call.parameters, call.interval))

    return Participant(name, model, model.describe(), answer, dict.fromkeys(names, layout), step=step * HOUR)


def joined(source, variable, target, timing, **keywords):
    """Return an exchange on the conservative weights between two rings."""
    end = End("sea", target.spec.variable("imports", "inflow"), target.layouts["inflow"])
    layouts = source.layouts[variable], end.layout
    weights = Regridder.build(*layouts, "conservative", backend="native")
    start = End(source.name, source.spec.variable("exports", variable), layouts[0])
    return Exchange(start, end, weights, timing=timing, merge=Merge.SUM, **keywords)


def coupled(layouts):
    """Return two sources of different steps, merged with extremes, lags, a line and a moving fraction."""
    fast, slow, sea = (participant(n, layouts[n], s) for n, s in (("fast", 1), ("slow", 2), ("sea", 3)))
    mean = Timing(6 * HOUR, Reduction.MEAN, lag=1, initial=0.3)
    moving = joined(slow, "f", sea, Timing(6 * HOUR))
    exchanges = [
        joined(fast, "x", sea, Timing(3 * HOUR, Reduction.MAX)),
        joined(fast, "x", sea, mean, factor=0.5, offset=0.1, moving=moving),
        joined(slow, "x", sea, Timing(6 * HOUR, interpolation=Interpolation.LINEAR, initial=0.0)),
    ]
    clock = Clock(START, START + 2 * CYCLE * HOUR, CYCLE * HOUR)
    return CoupledRun(clock, [sea, slow, fast], exchanges, MEMBERS)


def digest(layout, value):
    return hashlib.sha256(layout.gather(value).numpy().tobytes()).hexdigest()[:16]


def drawn(layout, cells, seed, *axes):
    generator = torch.Generator().manual_seed(seed)
    return layout.scatter(torch.randn(*axes, cells, generator=generator, dtype=torch.float64))


def at(layouts, port, seed, members):
    """Return two random derivatives of a variable."""
    name = port.partition(".")[0]
    return drawn(layouts[name], SIZES[name], seed, 2, members)


def derivatives(layouts, kind):
    """Return digests of values, tangents and gradients, and the dot test's error."""
    run = coupled(layouts)
    with run.recording(kind) as tape:
        for seed, name in enumerate(SIZES):
            run.put(f"{name}.p", drawn(layouts[name], SIZES[name], seed, MEMBERS))
        run.advance(START + CYCLE * HOUR)
        # one value for all members
        run.put("fast.p", drawn(layouts["fast"], SIZES["fast"], 3, 1))
        run.advance(run.clock.stop)
    puts = [*((f"{n}.p", START, MEMBERS) for n in SIZES), ("fast.p", START + CYCLE * HOUR, 1)]
    along = {(p, t): at(layouts, p, 10 + i, members) for i, (p, t, members) in enumerate(puts)}
    wanted = [("sea.u", run.clock.stop), ("sea.inflow", START + 9 * HOUR), ("slow.x", START + 8 * HOUR)]
    moved = tangents(run, tape, along, wanted)
    back_along = {event: at(layouts, event[0], 20 + i, MEMBERS) for i, event in enumerate(wanted)}
    back = gradients(run, tape, back_along)
    left, right = (
        sum(whole(layouts, e, a[e], b[e]) for e in a)
        for a, b in ((moved, back_along), (along, {e: back[e] for e in along}))
    )
    found = {f"value {e[0]}": digest(layouts["sea"], run.get(e[0])) for e in wanted[:1]}
    for what, values in (("tangent", moved), ("gradient", {e: back[e] for e in along})):
        found |= {
            f"{what} {e[0]} {e[1]:%H}": digest(layouts[e[0].partition(".")[0]], v) for e, v in values.items()
        }
    return {"digests": found, "dot": abs(left - right) / abs(left)}


def whole(layouts, event, one, other):
    layout = layouts[event[0].partition(".")[0]]
    return float((layout.gather(one) * layout.gather(other)).sum())


def main():
    folder, comm = Path(sys.argv[1]), MPI.COMM_WORLD

    def layout(name, ranks):
        parts = np.array_split(np.arange(SIZES[name]), ranks)
        owned = parts[comm.rank] if comm.rank < ranks else np.arange(0)
        return Layout(GRIDS[name], comm if comm.size > 1 else None, owned)

    # the slow source's cells are all on the first rank, so nothing depends on what the others own of it
    ranks = {"fast": comm.size, "slow": 1, "sea": max(comm.size - 1, 1)}
    layouts = {name: layout(name, number) for name, number in ranks.items()}
    found = {kind.__name__: derivatives(layouts, kind) for kind in (Keep, Checkpoints)}
    if comm.rank == 0:
        (folder / f"{comm.size}.json").write_text(json.dumps(found))


main()
