"""A coupled run that is killed again and again, and goes on from its restart file; what came out, as JSON.

Usage: killed_runs.py FOLDER KILLS

Children are forked, so that torch is imported once. A child saves at every time at which a step ends and
tells its parent of every step through a pipe; the parent kills it after a random number of steps, wherever
the child then is: in a step, in the middle of writing, between the two.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.couplers.ranks.layout import Layout

torch.set_num_threads(1)
HOUR, START = timedelta(hours=1), datetime(2000, 1, 1)
GRID = Grid.latlon(np.array([-45.0, 45.0]), np.array([45.0, 135.0, 225.0, 315.0]))


class Noise:
    """Draws numbers, whose stream is in the state's extras."""

    def describe(self) -> Spec:
        return Spec(exports=(Variable("x", "kg s-1", GRID, Kind.FLUX_INTENSIVE),))

    def initialize(self, spec, layouts, members):
        return State({}, {"stream": np.random.default_rng(7).bit_generator.state})

    def step(self, state, imports, parameters, interval):
        generator = np.random.default_rng()
        generator.bit_generator.state = state.extras["stream"]
        drawn = torch.from_numpy(generator.standard_normal((2, GRID.size)))
        return {"x": drawn}, State({}, {"stream": generator.bit_generator.state})


class Network:
    """A recurrent cell: ``h = tanh(a h + x + y)``."""

    def describe(self) -> Spec:
        taken = tuple(Variable(name, "kg s-1", GRID, Kind.FLUX_INTENSIVE) for name in "xyz")
        h = Variable("h", "1", GRID)
        return Spec(imports=taken, exports=(h,), state=(h,))

    def initialize(self, spec, layouts, members):
        return State({"h": torch.zeros(members, GRID.size, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        h = torch.tanh(0.9 * state.fields["h"] + imports["x"] - 0.1 * imports["y"] * imports["z"])
        return {"h": h}, State({"h": h})


def part(name, component, hours):
    spec = component.describe()
    names = {v.name for v in (*spec.imports, *spec.exports, *spec.state)}

    def answer(call):
        return Step(*component.step(call.state, call.imports, call.parameters, call.interval))

    layouts = dict.fromkeys(names, Layout(GRID))
    return Participant(name, component, spec, answer, layouts, step=hours * HOUR)


def build():
    """Return 60 hours of noise every hour, averaged, lagged and interpolated into steps of 2 and 3 hours."""
    noise, fast, slow = part("noise", Noise(), 1), part("fast", Network(), 2), part("slow", Network(), 3)

    def feed(target, name, timing):
        ends = (noise, "exports", "x"), (target, "imports", name)
        left, right = (End(p.name, p.spec.variable(role, v), p.layouts[v]) for p, role, v in ends)
        return Exchange(left, right, IdentityOperator(Distributed(left.layout)), timing=timing)

    exchanges = [
        feed(target, name, timing)
        for target in (fast, slow)
        for name, timing in (
            ("x", Timing(reduction=Reduction.MEAN)),
            ("y", Timing(every=6 * HOUR, reduction=Reduction.MAX, lag=2, initial=1.0)),
            ("z", Timing(every=6 * HOUR, interpolation=Interpolation.LINEAR, initial=0.5)),
        )
    ]
    return CoupledRun(Clock(START, START + 60 * HOUR, 6 * HOUR), [noise, fast, slow], exchanges, members=2)


def line(entry):
    figures = (entry.left, entry.arrived, entry.unmapped, entry.withheld)
    return f"{entry.exchange} {entry.interval} {' '.join(float(f).hex() for f in figures)}\n"


def child(folder, pipe):
    """Go on from the file, if there is one; note what the ledger says, then save."""
    run, path = build(), folder / "run.safetensors"
    if path.exists():
        run.restore(path)
    with (folder / "ledger").open("ab", buffering=0) as ledger:
        for tick in list(run.ticks):
            run.advance(tick)
            os.write(pipe, b".")
            ledger.write("".join(map(line, run.ledger)).encode())
            run.ledger.clear()
            run.save(path)
    states = b"".join(run.get(port).numpy().tobytes() for port in ("fast.h", "slow.h", "noise.x"))
    (folder / "answer").write_text(sha256(states).hexdigest())


def attempt(folder, steps):
    """Fork a child and kill it after so many steps; return whether it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        child(folder, writing)
        os._exit(0)
    os.close(writing)
    for _ in range(steps):
        if not os.read(reading, 1):
            break
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(reading)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a child failed")
    return os.WIFSIGNALED(status)


def found(folder):
    ledger = sorted(set((folder / "ledger").read_text().splitlines()))
    return {"answer": (folder / "answer").read_text(), "ledger": ledger}


def main() -> None:
    folder, wanted = Path(sys.argv[1]), int(sys.argv[2])
    whole, broken = folder / "whole", folder / "broken"
    for place in (whole, broken):
        place.mkdir()
    # not forked: what torch loads at first use is then there for all children
    child(whole, os.open(os.devnull, os.O_WRONLY))
    chance, kills = random.Random(5), 0
    while kills < wanted:
        kills += attempt(broken, chance.randrange(6))
    attempt(broken, 10**6)
    result = {"kills": kills, "whole": found(whole), "broken": found(broken)}
    (folder / "found.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main()
