"""Both sweeps through random schedules, against a coupled model written a second time and left to torch.

The oracle knows nothing of plans, buffers and tapes: it is asked for an export and asks, in turn, for all
that this depends on, as the definitions of reductions, lags and interpolations are written down.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import pairwise
from math import lcm

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.levels import LevelWeights, OneLevel
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, MatrixOperator
from tradewind.errors import ConfigError

CYCLE, CYCLES, MEMBERS, BATCH = 6, 2, 2, 2
END = CYCLE * CYCLES
CELLS = {"A": 3, "B": 2, "C": 4}
LEVELS = 2


# ---------------------------------------------------------------------- the model, the same for both
def model(u, i, j, p, seconds):
    """Return the new state, and the exports: a field, a column of two levels, and a fraction."""
    hours = seconds / 3600
    new = 0.8 * u + hours * 0.1 * torch.sin(p) + 0.3 * torch.sin(i) + 0.2 * j[..., 0, :] * j[..., 1, :]
    exports = {
        "x": new + 0.1 * new.square(),
        "c": torch.stack([new, torch.cos(new)], dim=-2),
        "f": torch.sigmoid(new),
    }
    return new, exports


class Cell:
    """The model as a component: what is not fed is zero."""

    def __init__(self, grid, fed):
        self.grid, self.fed = grid, fed

    def describe(self):
        extra = (("level", LEVELS),)
        shapes = {"i": (), "j": extra}
        return Spec(
            imports=tuple(Variable(n, "1", self.grid, extra=shapes[n]) for n in sorted(self.fed)),
            exports=(
                Variable("x", "1", self.grid),
                Variable("c", "1", self.grid, extra=extra),
                Variable("f", "1", self.grid),
            ),
            state=(Variable("u", "1", self.grid),),
            parameters=(Variable("p", "1", self.grid),),
        )

    def initialize(self, spec, layouts, members):
        return State({"u": torch.zeros(members, layouts["u"].n_local, dtype=torch.float64)})

    def step(self, state, imports, parameters, interval):
        u = state.fields["u"]
        i = imports.get("i", torch.zeros_like(u))
        j = imports.get("j", torch.zeros_like(u)[..., None, :].expand(*u.shape[:-1], LEVELS, u.shape[-1]))
        new, exports = model(u, i, j, parameters["p"], interval.seconds)
        return exports, State({"u": new})

    def finalize(self): ...


# ---------------------------------------------------------------------- what is drawn
@dataclass(frozen=True)
class Link:
    """An exchange in plain numbers: periods in hours."""

    source: str
    target: str
    export: str
    into: str
    every: int
    reduction: Reduction = Reduction.INSTANT
    lag: int = 0
    interpolation: Interpolation = Interpolation.NONE
    seed: int = 0
    scaled: bool = False
    fraction: bool = False
    moving: Link | None = None

    def numbers(self, shape, name):
        """Return random numbers of this link: positive, below one."""
        seed = self.seed * 100 + ["matrix", "factor", "offset", "fraction", "levels", "initial"].index(name)
        return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    @property
    def matrix(self):
        return self.numbers((CELLS[self.target], CELLS[self.source]), "matrix")

    @property
    def factor(self):
        return 0.5 + self.numbers((CELLS[self.source],), "factor") if self.scaled else 1.5

    @property
    def offset(self):
        return 0.25 if self.scaled else 0.0

    @property
    def fixed(self):
        return self.numbers((CELLS[self.target],), "fraction") if self.fraction else None

    @property
    def initial(self):
        inner = (LEVELS, CELLS[self.source]) if self.export == "c" else (CELLS[self.source],)
        return self.numbers(inner, "initial")

    @property
    def weights(self):
        """Weights of levels, ``(import's, export's)``, None where levels are the same."""
        if self.export != "c":
            return None
        return self.numbers((LEVELS if self.into == "j" else 1, LEVELS), "levels")


@dataclass(frozen=True)
class System:
    steps: dict[str, int]
    links: tuple[Link, ...]
    puts: tuple[tuple[str, str, int, bool], ...] = ()
    """Component, variable, hour, whether one value serves all members."""


@st.composite
def link(draw, steps, source, target, seed, movable=True):
    late = source > target  # backwards: must lag
    base = lcm(steps[source], steps[target])
    every = CYCLE if late else draw(st.sampled_from([e for e in (1, 2, 3, 6) if not e % base]))
    reductions = [r for r in Reduction if not r.is_amount or every == steps[target]]
    export = draw(st.sampled_from(["x", "c"])) if movable else "f"
    into = draw(st.sampled_from(["i", "j"])) if export == "c" else "i"
    moving = None
    if movable and draw(st.booleans()):
        moving = draw(link(steps, source, target, seed + 50, movable=False))
    return Link(
        source, target, export, into, every, draw(st.sampled_from(reductions)),
        draw(st.integers(1 if late else 0, 2)), draw(st.sampled_from(Interpolation)), seed,
        draw(st.booleans()), draw(st.booleans()), moving,
    )  # fmt: skip


@st.composite
def systems(draw, inner=False):
    """Draw a system; with puts at any end of a step where `inner`, else where all components stand."""
    steps = {name: draw(st.sampled_from([1, 2, 3, 6])) for name in CELLS}
    pairs = draw(st.lists(st.sampled_from(["AB", "AC", "BC", "CA"]), min_size=1, max_size=4))
    links = tuple(draw(link(steps, *pair, seed)) for seed, pair in enumerate(pairs))
    puts = [(name, "p", 0, draw(st.booleans())) for name in CELLS]
    shortest = min(steps.values()) if inner else CYCLE
    hours = st.sampled_from(range(shortest, END, shortest))
    puts += [
        (name, variable, draw(hours), draw(st.booleans()))
        for name in CELLS
        for variable in "pu"
        if draw(st.integers(0, 3)) == 0
    ]
    return System(steps, links, tuple(puts))


# ---------------------------------------------------------------------- the run
def exchange(link, ends, moving=None):
    source, target = ends(link.source, "exports", link.export), ends(link.target, "imports", link.into)
    spaces = Distributed(source.layout), Distributed(target.layout)
    rows = None if link.weights is None else tuple(tuple(enumerate(r)) for r in link.weights.tolist())
    levels = None if rows is None else LevelWeights(rows, LEVELS)
    return Exchange(
        source, target, MatrixOperator(link.matrix, *spaces), link.factor, link.offset,
        timing=Timing(None, link.reduction, link.lag, link.interpolation, link.initial),
        levels=OneLevel(levels) if levels is not None and link.into == "i" else levels,
        fraction=link.fixed, moving=moving, merge=Merge.SUM,
    )  # fmt: skip


def ring(cells):
    return Grid.latlon(
        np.array([0.0]), np.linspace(0, 300, cells, endpoint=False), lat_bounds=np.array([-9.0, 9.0])
    )


def coupled(system, toys):
    """Return the system as a coupled run."""
    grids = {name: ring(cells) for name, cells in CELLS.items()}
    fed = {name: {link.into for link in system.links if link.target == name} for name in CELLS}
    members = {
        name: replace(
            toys.participant(name, Cell(grids[name], fed[name])), step=system.steps[name] * toys.HOUR
        )
        for name in CELLS
    }

    def ends(name, role, variable):
        if (
            role == "imports" and variable not in fed[name]
        ):  # where a moving fraction goes is declared nowhere
            return toys.End(name, Variable(variable, "1", grids[name]), members[name].layouts["u"])
        return toys.end(members[name], role, variable)

    def made(link):
        found = exchange(link, ends, None if link.moving is None else made(link.moving))
        return replace(found, timing=replace(found.timing, every=link.every * toys.HOUR))

    clock = Clock(toys.START, toys.at(END), CYCLE * toys.HOUR)
    return CoupledRun(clock, list(members.values()), [made(link) for link in system.links], MEMBERS)


def recorded(run, system, values, toys, kind=Keep):
    run.rewind(run.start())
    with run.recording(kind) as tape:
        hours = sorted({when for *_, when, _ in system.puts})
        for hour, following in pairwise([*hours, END]):
            for name, variable, when, _ in system.puts:
                if when == hour:
                    run.put(f"{name}.{variable}", values[name, variable, when])
            run.advance(toys.at(following))
    return tape


# ---------------------------------------------------------------------- the oracle
@dataclass
class Oracle:
    """Answers by asking for what is needed."""

    system: System
    values: dict[tuple[str, str, int], torch.Tensor]
    known: dict[tuple[str, int], tuple] = field(default_factory=dict)

    def step(self, name, n):
        """Return state and exports after step `n` of a component."""
        if (name, n) not in self.known:
            self.known[name, n] = self._step(name, n)
        return self.known[name, n]

    def _step(self, name, n):
        length = self.system.steps[name]
        hour, shape = n * length, (MEMBERS, CELLS[name])
        p = [
            v
            for (c, variable, when), v in self.values.items()
            if c == name and variable == "p" and when <= hour
        ][-1]
        u = self.step(name, n - 1)[0] if n else torch.zeros(shape, dtype=torch.float64)
        u = self.values.get((name, "u", hour), u).expand(shape)
        i = self.imported(name, "i", n)
        j = self.imported(name, "j", n)
        i = torch.zeros_like(u) if i is None else i
        j = torch.zeros(MEMBERS, LEVELS, CELLS[name], dtype=torch.float64) if j is None else j
        return model(u, i, j, p.expand(shape), length * 3600.0)

    def imported(self, name, variable, n):
        links = [one for one in self.system.links if (one.target, one.into) == (name, variable)]
        return reduce(torch.add, [self.brought(one, n) for one in links]) if links else None

    def brought(self, link, n):
        """Return what a link brings to step `n` of its target."""
        x = link.factor * self.between(link, n) + link.offset
        if link.weights is not None:
            x = torch.einsum("kl,mlc->mkc", link.weights, x)
            x = x if link.into == "j" else x[:, 0]
        y = torch.einsum("...c,tc->...t", x, link.matrix)
        y = y if link.fixed is None else link.fixed * y
        if link.moving is None:
            return y
        fraction = self.brought(link.moving, n)
        return (fraction if y.ndim == 2 else fraction[:, None]) * y

    def between(self, link, n):
        begin, end = n * self.system.steps[link.target], (n + 1) * self.system.steps[link.target]
        k = begin // link.every
        late = (end - k * link.every) / link.every
        first, second = self.period(link, k - 1 - link.lag), self.period(link, k - link.lag)
        if link.interpolation is Interpolation.LINEAR:
            return (1 - late) * first + late * second
        return first if link.interpolation is Interpolation.NEAREST and late < 0.5 else second

    def period(self, link, k):
        """Return the value of period k."""
        if k < 0:
            return link.initial.expand(MEMBERS, *link.initial.shape)
        dt = self.system.steps[link.source]
        steps = range(k * link.every // dt, (k + 1) * link.every // dt)
        x = [self.step(link.source, n)[1][link.export] for n in steps]
        return REDUCED[link.reduction](x, dt)


REDUCED = {
    Reduction.INSTANT: lambda x, dt: x[-1],
    Reduction.MEAN: lambda x, dt: sum(x) / len(x),
    Reduction.SUM: lambda x, dt: sum(x),
    Reduction.INTEGRAL: lambda x, dt: sum(dt * 3600.0 * v for v in x),
    Reduction.MIN: lambda x, dt: reduce(lambda a, b: torch.where(b < a, b, a), x),
    Reduction.MAX: lambda x, dt: reduce(lambda a, b: torch.where(b > a, b, a), x),
}


def drawn(system, seed):
    """Return a value for every put."""
    generator = torch.Generator().manual_seed(seed)
    return {
        (name, variable, hour): torch.randn(1 if one else MEMBERS, CELLS[name], generator=generator).double()
        for name, variable, hour, one in system.puts
    }


def events(system, toys, ask):
    """Return what is asked, as events of the run, and a function that gives it for an oracle."""
    found = {}
    for name, steps in system.steps.items():
        for n in sorted({0, END // steps // 2, END // steps - 1}):
            time = toys.at((n + 1) * steps)
            found[f"{name}.x", time] = lambda o, name=name, n=n: o.step(name, n)[1]["x"]
            found[f"{name}.u", time] = lambda o, name=name, n=n: o.step(name, n)[0]
            for into in {link.into for link in system.links if link.target == name}:
                found[f"{name}.{into}", time] = lambda o, name=name, n=n, into=into: o.imported(name, into, n)
    return dict(list(found.items())[ask::3])


def flat(values):
    return torch.cat([value.reshape(BATCH, -1) for value in values], dim=1)


class Case:
    """A system stepped and recorded, and the same from the oracle."""

    def __init__(self, system, toys, ask):
        self.system, self.toys = system, toys
        self.run = coupled(system, toys)
        self.values = drawn(system, 1)
        self.asked = events(system, toys, ask)
        self.keys = {(f"{n}.{v}", toys.at(h)): (n, v, h) for n, v, h, _ in system.puts}
        # integrals over hours are thousands: derivatives are compared relative to the largest
        self.directions = {
            event: torch.randn(
                BATCH, *self.values[key].shape, generator=torch.Generator().manual_seed(i)
            ).double()
            for i, (event, key) in enumerate(self.keys.items())
        }

    def oracle(self, *values):
        one = Oracle(self.system, dict(zip(self.values, values, strict=True)))
        return tuple(ask(one) for ask in self.asked.values())

    def tangents(self, tape):
        return tangents(self.run, tape, self.directions, list(self.asked))

    def cotangents(self, like):
        return {e: torch.randn(BATCH, *v.shape, generator=torch.Generator().manual_seed(90 + i)).double()
                for i, (e, v) in enumerate(like.items())}  # fmt: skip

    def gradients(self, tape, cotangents):
        found = gradients(self.run, tape, cotangents)
        return {e: found.get(e, torch.zeros_like(v)) for e, v in self.directions.items()}


@pytest.fixture
def cases(toys):
    def make(system, ask=0):
        try:
            return Case(system, toys, ask)
        except ConfigError as error:
            assume("circle" not in str(error))
            raise

    return make


def close(found, expected, tolerance=1e-12):
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    assert float((found - expected).abs().max()) <= tolerance * scale if expected.numel() else True


def random(examples):
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


@random(20)
@given(system=systems(), ask=st.integers(0, 2))
def test_gradients_are_those_that_torch_gives_of_the_definitions(cases, system, ask):
    case = cases(system, ask)
    tape = recorded(case.run, system, case.values, case.toys)
    expected, pull = torch.func.vjp(case.oracle, *case.values.values())
    cotangents = case.cotangents(dict(zip(case.asked, expected, strict=True)))
    back = case.gradients(tape, cotangents)
    for k in range(BATCH):
        for found, right in zip(back.values(), pull(tuple(c[k] for c in cotangents.values())), strict=True):
            close(found[k], right)


@random(9)
@given(system=systems(inner=True), ask=st.integers(0, 2))
def test_one_sweep_is_the_adjoint_of_the_other(cases, system, ask):
    case = cases(system, ask)
    tape = recorded(case.run, system, case.values, case.toys)
    ju = case.tangents(tape)
    v = case.cotangents({e: t[0] for e, t in ju.items()})
    jtv = case.gradients(tape, v)
    for k in range(BATCH):
        left = sum(float((ju[e][k] * v[e][k]).sum()) for e in v)
        right = sum(float((jtv[e][k] * case.directions[e][k]).sum()) for e in jtv)
        sizes = (sum(float(t[e][k].square().sum()) for e in t) ** 0.5 for t in (ju, v))
        assert abs(left - right) <= 1e-13 * np.prod(list(sizes))


@random(9)
@given(system=systems(inner=True), ask=st.integers(0, 2))
def test_checkpoints_give_the_same_bits(cases, system, ask):
    case, found = cases(system, ask), []
    for kind in (Keep, Checkpoints):
        tape = recorded(case.run, system, case.values, case.toys, kind)
        moved = case.tangents(tape)
        found.append(moved | case.gradients(tape, case.cotangents({e: t[0] for e, t in moved.items()})))
    assert found[0].keys() == found[1].keys()
    for event, value in found[0].items():
        assert torch.equal(value, found[1][event])


@random(6)
@given(system=systems(inner=True))
def test_the_remainder_of_taylor_s_expansion_falls_with_the_square(cases, system):
    assume(all(one.reduction.is_linear for one in system.links))  # extremes have kinks
    case = cases(system)
    tape = recorded(case.run, system, case.values, case.toys)
    last = [(f"{name}.u", case.toys.at(END)) for name in CELLS]
    moved = tangents(case.run, tape, case.directions, last)
    remainders, sizes = [], (1e-3, 5e-4)
    # integrals make steep functions: derivatives of thousands along random directions
    steep = max(1.0, *(float(m.abs().max()) for m in moved.values()))
    base = {event: case.run.get(event[0]) for event in last}
    for h in (s / steep for s in sizes):
        there = {k: v + h * case.directions[e][0] for e, (k, v) in
                 zip(case.keys, case.values.items(), strict=True)}  # fmt: skip
        recorded(case.run, system, there, case.toys)
        ends = [case.run.get(port) - base[port, time] - h * moved[port, time][0] for port, time in last]
        remainders.append(torch.cat([e.flatten() for e in ends]).norm())
    slope = float(torch.log2(remainders[0] / remainders[1]))
    assert slope == pytest.approx(2.0, abs=0.05)
