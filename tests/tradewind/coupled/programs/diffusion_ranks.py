"""Diffusion on a ring of cells that ranks share; what must not depend on how many is written as JSON.

Usage: diffusion_ranks.py FOLDER
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

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.errors import RankError

torch.set_num_threads(1)
N, HOUR, START = 12, timedelta(hours=1), datetime(2000, 1, 1)
WIDE = Grid.latlon(np.array([0.0]), np.arange(6) * 60.0 + 15.0, lat_bounds=np.array([-5.0, 5.0]))
GRID = Grid.latlon(np.array([0.0]), np.arange(N) * 30.0, lat_bounds=np.array([-5.0, 5.0]))


class Diffusion:
    """``u += s_left + s_right - 2 s`` with ``s = u³ / 10``: every cell sees one ring of neighbours."""

    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def describe(self) -> Spec:
        u = Variable("u", "1", GRID, halo=1)
        return Spec(imports=(), exports=(Variable("total", "1", GRID),), state=(u,))

    def initialize(self, spec, layouts, members):
        self.own = layouts["u"]
        seen = self.own if self.own.is_serial else self.own.with_halo(1)
        place = {int(cell): k for k, cell in enumerate(seen.owned)}
        self.left, self.here, self.right = (
            torch.tensor([place[(int(c) + d) % N] for c in self.own.owned], dtype=torch.long)
            for d in (-1, 0, 1)
        )
        return State({"u": torch.zeros(members, self.own.n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        if self.fails and self.own.comm.rank == 1 and interval.start > START:
            raise ValueError("the model blew up")
        u = state.fields["u"]
        s = u**3 / 10
        new = u[:, self.here] + s[:, self.left] + s[:, self.right] - 2 * s[:, self.here]
        return {"total": new.square()}, State({"u": new})

    def finalize(self) -> None: ...


def owned(comm, ranks, cells=N):
    """Deal a ring to the first `ranks` ranks."""
    parts = np.array_split(np.arange(cells), ranks)
    return parts[comm.rank] if comm.rank < ranks else np.arange(0)


def digest(layout, value):
    return hashlib.sha256(layout.gather(value).numpy().tobytes()).hexdigest()[:16]


def ring(layout, fails=False):
    """Return a run of six hours with two members on a ring."""
    model = Diffusion(fails)
    spec = model.describe()

    def answer(call):
        return Step(*model.step(call.state, call.imports, call.parameters, call.interval))

    participant = Participant("ring", model, spec, answer, {"u": layout, "total": layout})
    return CoupledRun(Clock(START, START + 6 * HOUR, HOUR), [participant], [], members=2)


def derivatives(layout, file=None):
    """Return digests of answers and tangents, the dot test's error, and the whole gradient."""
    run = ring(layout)
    whole = torch.randn(3, 2, N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if file is not None and file.exists():
        run.restore(file)
    else:
        run.put("ring.u", layout.scatter(whole[0]))
        run.advance(START + 3 * HOUR)
        if file is not None:
            run.save(file)
    with run.recording():
        run.put("ring.u", run.get("ring.u"))
        given, wanted = ("ring.u", run.time), ("ring.total", START + 6 * HOUR)
        run.advance(START + 6 * HOUR)
    moved = run.jvp({given: layout.scatter(whole[1:])}, [wanted])[wanted]
    # a rank without cells still gives its zeros
    back = run.vjp({wanted: layout.scatter(whole[1:])})[given]
    left, right = (float((layout.gather(v) * whole[1:]).sum()) for v in (moved, back))
    digests = [digest(layout, v) for v in (run.get("ring.u"), run.get("ring.total"), moved)]
    return {
        "digests": digests,
        "dot": abs(left - right) / abs(left),
        "gradient": layout.gather(back).flatten().tolist(),
    }


class Source:
    """Exports its parameter on a ring of six."""

    def describe(self) -> Spec:
        flux = Variable("flux", "1", WIDE)
        return Spec(exports=(flux,), parameters=(flux,), linear=True)

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        return {"flux": parameters["flux"]}, state


class Sum:
    """``u += sin(flux)`` on the ring of twelve."""

    def describe(self) -> Spec:
        return Spec(
            (Variable("flux", "1", GRID),), (Variable("level", "1", GRID),), (Variable("u", "1", GRID),)
        )

    def initialize(self, spec, layouts, members):
        return State({"u": torch.zeros(members, layouts["u"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        u = state.fields["u"] + torch.sin(imports["flux"])
        return {"level": u.square()}, State({"u": u})


def plain(name, model, layout):
    spec = model.describe()
    names = {v.name for v in (*spec.imports, *spec.exports, *spec.state)}

    def answer(call):
        return Step(*model.step(call.state, call.imports, call.parameters, call.interval))

    return Participant(name, model, spec, answer, dict.fromkeys(names, layout))


def exchanged(wide, layout):
    """Return what `derivatives` does, of a source and a sum on two grids."""
    source, total = plain("source", Source(), wide), plain("sum", Sum(), layout)
    ends = (
        End(p.name, p.spec.variable(role, "flux"), p.layouts["flux"])
        for p, role in ((source, "exports"), (total, "imports"))
    )
    exchange = Exchange(*ends, Regridder.build(wide, layout, "conservative", backend="native"))
    run = CoupledRun(Clock(START, START + 6 * HOUR, HOUR), [source, total], [exchange], members=2)
    flux = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    seen = torch.randn(2, 2, N, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with run.recording():
        run.put("source.flux", wide.scatter(flux[0]))
        run.advance(START + 4 * HOUR)
    given, wanted = ("source.flux", START), ("sum.level", run.time)
    moved = run.jvp({given: wide.scatter(flux[1:])}, [wanted])[wanted]
    back = run.vjp({wanted: layout.scatter(seen)})[given]
    left, right = float((layout.gather(moved) * seen).sum()), float((wide.gather(back) * flux[1:]).sum())
    return {
        "digests": [digest(layout, run.get("sum.level")), digest(layout, moved), digest(wide, back)],
        "dot": abs(left - right) / abs(left),
        "gradient": wide.gather(back).flatten().tolist(),
        "ledger": max(abs(entry.residual) for entry in run.ledger),
    }


def failure(layout):
    """Return what every rank says when one of them fails in its second step."""
    try:
        ring(layout, fails=True).advance(START + 2 * HOUR)
    except (RankError, ValueError) as error:
        return layout.comm.allgather(f"{type(error).__name__}: {error}")
    return []


def main() -> None:
    folder, comm = Path(sys.argv[1]), MPI.COMM_WORLD
    shared = comm if comm.size > 1 else None
    layout = Layout(GRID, shared, owned(comm, comm.size))
    emptier = Layout(GRID, shared, owned(comm, max(comm.size - 1, 1)))
    found = {
        "plain": derivatives(layout),
        "last rank empty": derivatives(emptier),
        "restart": derivatives(layout, folder / "run.safetensors"),
        "exchanged": exchanged(Layout(WIDE, shared, owned(comm, comm.size, 6)), emptier),
        "failure": failure(layout),
    }
    if comm.rank == 0:
        (folder / f"{comm.size}.json").write_text(json.dumps(found))


main()
