"""Exchanges in time between two grids whose cells ranks share; what must not depend on how many, as JSON.

Usage: timing_ranks.py FOLDER

Saves the run at 4 and 7 hours, in the middle of periods of 3 and 6; goes on from what other ranks have saved.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from mpi4py import MPI

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import LedgerError, RankError

torch.set_num_threads(1)
HOUR, START = timedelta(hours=1), datetime(2000, 1, 1)
WIDE = Grid.latlon(
    np.array([-20.0, 20.0]), np.arange(6) * 60.0 + 15.0, lat_bounds=np.array([-40.0, 0.0, 40.0])
)
FINE = Grid.latlon(
    np.array([-30.0, -10.0, 10.0, 30.0]),
    np.arange(12) * 30.0,
    lat_bounds=np.array([-40.0, -20.0, 0.0, 20.0, 40.0]),
)


class Land:
    """``u`` turns by its own sine; exports a flux and a fraction."""

    def describe(self) -> Spec:
        names = ("flux", "fraction")
        exports = tuple(Variable(name, "kg s-1", WIDE, Kind.FLUX_INTENSIVE) for name in names)
        return Spec(exports=exports, state=(Variable("u", "1", WIDE),))

    def initialize(self, spec, layouts, members):
        whole = torch.randn(
            members, WIDE.size, generator=torch.Generator().manual_seed(3), dtype=torch.float64
        )
        return State({"u": layouts["u"].scatter(whole)})

    def step(self, state, imports, parameters, interval):
        u = state.fields["u"]
        new = u + torch.sin(3.0 * u + interval.start.hour)
        return {"flux": new, "fraction": torch.sigmoid(u)}, State({"u": new})


class Air:
    """Adds up what it is given; fails where it is told to."""

    fails_on = -1

    def describe(self) -> Spec:
        given = tuple(Variable(name, "kg s-1", FINE, Kind.FLUX_INTENSIVE) for name in ("a", "b"))
        total = Variable("total", "kg", FINE)
        return Spec(imports=given, exports=(total,), state=(total,))

    def initialize(self, spec, layouts, members):
        self.comm = layouts["total"].comm
        return State({"total": torch.zeros(members, layouts["total"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        if self.comm.rank == self.fails_on and interval.start > START:
            raise ValueError("the model blew up")
        total = state.fields["total"] + imports["a"] - torch.sin(imports["b"])
        return {"total": total}, State({"total": total})


def part(name, component, layout, hours):
    spec = component.describe()
    names = {v.name for v in (*spec.imports, *spec.exports, *spec.state)}

    def answer(call):
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval))

    return Participant(name, component, spec, answer, dict.fromkeys(names, layout), step=hours * HOUR)


def build(wide, fine, tolerance=None, fails_on=-1):
    """Return twelve hours of land (1 h) and air (3 h), two members."""
    air = Air()
    air.fails_on = fails_on
    left, right = part("land", Land(), wide, 1), part("air", air, fine, 3)
    regridder = Regridder.build(wide, fine, "conservative", norm="dstarea", backend="native")

    def feed(export, name, timing, **more):
        ends = (left, "exports", export), (right, "imports", name)
        return Exchange(
            *(End(p.name, p.spec.variable(role, v), p.layouts[v]) for p, role, v in ends), regridder,
            timing=timing, merge=Merge.SUM, **more,
        )  # fmt: skip

    six = 6 * HOUR
    cover = feed("fraction", "a", Timing(interpolation=Interpolation.LINEAR, initial=0.5))
    exchanges = [
        feed("flux", "a", Timing(reduction=Reduction.MEAN), moving=cover, offset=0.25),
        feed("flux", "a", Timing(every=six, reduction=Reduction.MAX, lag=1, initial=1.0), factor=0.5),
        feed("flux", "b", Timing(every=six, reduction=Reduction.MEAN, lag=2, initial=2.0)),
    ]
    if tolerance is not None:
        exchanges[1] = replace(exchanges[1], tolerance=tolerance)
    return CoupledRun(Clock(START, START + 12 * HOUR, six), [right, left], exchanges, members=2)


def owned(comm, ranks, cells):
    parts = np.array_split(np.arange(cells), ranks)
    return parts[comm.rank] if comm.rank < ranks else np.arange(0)


def lines(ledger):
    figures = ((e.left, e.arrived, e.unmapped, e.withheld) for e in ledger)
    names = (f"{e.exchange} {e.interval}" for e in ledger)
    return [" ".join([name, *(f.hex() for f in four)]) for name, four in zip(names, figures, strict=True)]


def end_of(run, fine):
    """Run to the end; return what must be the same."""
    run.advance(START + 12 * HOUR)
    whole = fine.gather(run.get("air.total"))
    return {"total": sha256(whole.numpy().tobytes()).hexdigest(), "ledger": lines(run.ledger)}


def went_on(folder, layouts, hour):
    """Go on from every file that is there, at first writing one's own."""
    comm, run, found = layouts[0].comm, build(*layouts), {}
    run.advance(START + hour * HOUR)
    run.save(folder / f"{comm.size}.{hour}.safetensors")
    comm.barrier()
    for path in sorted(folder.glob(f"*.{hour}.safetensors")):
        again = build(*layouts)
        again.restore(path)
        found[path.name] = end_of(again, layouts[1])
    return found


def said(layouts, **changes):
    """Return what every rank says, and at what hour it then stands."""
    run = build(*layouts, **changes)
    try:
        run.advance(START + 12 * HOUR)
    except (LedgerError, RankError, ValueError) as error:
        return layouts[0].comm.allgather([f"{type(error).__name__}: {error}", (run.time - START) // HOUR])
    return []


def main() -> None:
    folder, comm = Path(sys.argv[1]), MPI.COMM_WORLD
    shared = comm if comm.size > 1 else None
    # the last rank has none of the wide grid's cells
    wide = Layout(WIDE, shared, owned(comm, max(comm.size - 1, 1), WIDE.size))
    fine = Layout(FINE, shared, owned(comm, comm.size, FINE.size))
    layouts = (wide, fine)
    found = {
        "whole": end_of(build(*layouts), fine),
        "went on": {hour: went_on(folder, layouts, hour) for hour in (4, 7)},
        "loss": said(layouts, tolerance=1e-3),
        "failure": said(layouts, fails_on=comm.size - 1),
    }
    if comm.rank == 0:
        (folder / f"{comm.size}.json").write_text(json.dumps(found))


main()
