"""A run of the box in which ranks share its cells; what must not depend on how many is written as JSON.

Usage: external_on_ranks.py BOX FOLDER [RING LAUNCHER]
"""

from __future__ import annotations

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
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import TradewindError
from tradewind.plugins.external.derivatives import external
from tradewind.plugins.external.options import ExternalOptions

torch.set_num_threads(1)
START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)
COMM = MPI.COMM_WORLD


def draw(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def settings(box, folder, **changes):
    place = {"file": "forcing.nc"}
    derivative = {"command": [box]}
    return ExternalOptions(**{
        "command": [box], "template": folder / "template", "rendered": ["*.nml"],
        "grid": {"file": folder / "grid.nc"}, "scratch": folder / "scratch",
        "imports": {"inflow": place | {"variable": "INFLOW", "units": "g s-1"}},
        "parameters": {"rate": place | {"variable": "RATE", "units": "h-1", "default": 0.1}},
        "state": {"amount": {"file": "restart.nc", "variable": "AMOUNT", "units": "g"}},
        "exports": {
            "level": {"file": "output.nc", "variable": "LEVEL", "units": "cm"},
            "elapsed": {"file": "output.nc", "variable": "ELAPSED", "units": "s", "grid": "none"},
        },
        "restart": [{"file": "clock.bin", "at_start": "absent"}],
        "adjoint": derivative, "tangent": derivative, "timeout": 60,
    } | changes)  # fmt: skip


def run_of(options, owned, hours=3):
    """Return a run of a model whose cells are dealt as `owned` says, with two members."""
    model = external(options)
    spec = model.describe()
    variables = [v for v in (*spec.imports, *spec.exports, *spec.state) if v.grid is not None]
    layout = Layout(variables[0].grid, COMM, owned)
    layouts = {v.name: layout for v in variables}
    answer = lambda call: Step(*model.step(call.state, call.imports, call.parameters, call.interval))  # noqa: E731
    parameters = model.defaults(layouts)
    participant = Participant("box", model, spec, answer, layouts, parameters)
    return CoupledRun(Clock(START, START + hours * HOUR, HOUR), [participant], [], 2), layout


def whole(layout, value):
    return layout.gather(value).flatten().tolist()


def results(options, owned):
    """Return exports, state and derivatives of a run, whole; and the dot test's error."""
    run, layout = run_of(options, owned)
    flow, amount = 0.02 + 0.001 * draw(2, 12, seed=1), 800 + 10 * draw(2, 12, seed=2)
    with run.recording():
        run.put("box.inflow", layout.scatter(flow))
        run.put("box.amount", layout.scatter(amount))
        run.put("box.rate", torch.tensor([0.1, 0.2], dtype=torch.float64))
        run.advance(START + 3 * HOUR)
    end = START + 3 * HOUR
    moved = {("box.inflow", START): draw(1, 2, 12, seed=3), ("box.amount", START): draw(1, 2, 12, seed=4)}
    back = {("box.level", end): draw(1, 2, 12, seed=5)}
    ju = run.jvp({k: layout.scatter(v) for k, v in moved.items()}, list(back))["box.level", end]
    jtv = run.vjp({k: layout.scatter(v) for k, v in back.items()})
    rate = sum(COMM.allgather(jtv["box.rate", START].numpy()))
    left = float((layout.gather(ju) * back["box.level", end]).sum())
    right = sum(float((layout.gather(jtv[event]) * moved[event]).sum()) for event in moved)
    return {
        "level": whole(layout, run.get("box.level")),
        "amount": whole(layout, run.get("box.amount")),
        "elapsed": COMM.allgather(run.get("box.elapsed").tolist()),
        "tangent": whole(layout, ju),
        "gradient": whole(layout, jtv["box.inflow", START]),
        "rate": rate.flatten().tolist(),
        "dot": abs(left - right) / abs(left),
    }


def failure(options, owned):
    """Return what every rank says when the model fails."""
    run, _ = run_of(options, owned, hours=1)
    run.put("box.inflow", torch.zeros(2, run.participants[0].layouts["inflow"].n_local, dtype=torch.float64))
    try:
        run.advance(START + HOUR)
    except TradewindError as error:
        return COMM.allgather(f"{type(error).__name__}: {error}")
    return []


def ring(program, launcher, folder):
    """Return how many ranks the MPI model ran on, and its answer, from within a rank."""
    points = Grid.points(np.arange(6) * 60.0, np.zeros(6))
    if COMM.rank == 0:
        points.to_dataset("cf").to_netcdf(folder / "ring.nc")
        (folder / "empty").mkdir(exist_ok=True)
    COMM.Barrier()
    options = ExternalOptions(
        command=[program], launcher=[launcher, "-n", 2], template=folder / "empty", timeout=60,
        grid={"file": folder / "ring.nc"}, scratch=folder / "scratch",
        state={"u": {"file": "restart.nc", "output": "output.nc", "variable": "U", "units": "1",
                     "initial": 0.0}},
        exports={"ranks": {"file": "output.nc", "variable": "RANKS", "units": "1", "grid": "none"}},
    )  # fmt: skip
    run, layout = run_of(options, None, hours=2)
    first = torch.zeros(2, 6, dtype=torch.float64)
    first[:, 0] = 16.0
    run.put("box.u", layout.scatter(first))
    run.advance(START + 2 * HOUR)
    return {"u": whole(layout, run.get("box.u")), "ranks": run.get("box.ranks").tolist()}


def main():
    """Write what this number of ranks finds."""
    box, folder = sys.argv[1], Path(sys.argv[2])
    options = settings(box, folder)
    parts = np.array_split(np.arange(12), COMM.size)
    last_empty = np.array_split(np.arange(12), max(COMM.size - 1, 1))
    none = np.arange(0)
    found = {
        "plain": results(options, parts[COMM.rank]),
        "last rank empty": results(options, last_empty[COMM.rank] if COMM.rank < len(last_empty) else none),
        "failure": failure(options.model_copy(update={"command": ("false",)}), parts[COMM.rank]),
    }
    if len(sys.argv) > 3:
        found["ring"] = ring(sys.argv[3], sys.argv[4], folder)
    if COMM.rank == 0:
        (folder / f"{COMM.size}.json").write_text(json.dumps(found))


main()
