"""What derivatives become on their way through an exchange: numbers on paper, for both sweeps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tradewind.coupled.derivatives.checkpoints import Checkpoints, Keep
from tradewind.coupled.derivatives.replay import gradients, tangents
from tradewind.couplers.coupling.exchange import Exchange
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.levels import LevelWeights, OneLevel
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.errors import NotDifferentiableError

FLUX, AMOUNT, LEVEL = "source.flux", "tank.amount", "tank.level"
ONE = torch.ones(1, 1, 4, dtype=torch.float64)
SIX = (3.0,) * 6
BOTH_KINDS = pytest.mark.parametrize("kind", [Keep, Checkpoints])


def pair(toys, timing, steps=(1, 6), members=1, **keywords):
    """Return a source and a tank at rate 1, on one grid; steps are hours, the coupling interval is 6 h."""
    flux = {"flux": torch.full((1, 4), 2.0, dtype=torch.float64)}
    source, tank = (
        replace(toys.participant(name, component, parameters), step=hours * toys.HOUR)
        for name, component, parameters, hours in (
            ("source", toys.Source(), flux, steps[0]),
            ("tank", toys.Tank(), {"rate": toys.scalar(1.0)}, steps[1]),
        )
    )
    exchange = replace(toys.connect(source, "flux", tank, "inflow"), timing=timing, **keywords)
    clock = toys.Clock(toys.START, toys.at(24), 6 * toys.HOUR)
    return toys.CoupledRun(clock, [source, tank], [exchange], members)


def weights(run, toys, wanted, values=(3.0,) * 12, every=1, kind=Keep):
    """Put a flux every so many hours; return what both sweeps say `wanted` owes to each, for one cell."""
    with run.recording(kind) as tape:
        for number, value in enumerate(values):
            run.put(FLUX, torch.full((1, 4), value, dtype=torch.float64))
            run.advance(toys.at((number + 1) * every))
    puts = [(FLUX, toys.at(number * every)) for number in range(len(values))]
    back = gradients(run, tape, {wanted: ONE})
    moved = [tangents(run, tape, {put: ONE}, [wanted])[wanted] for put in puts]
    found = [back.get(put, 0 * ONE)[0, 0, 0].item() for put in puts]
    assert [m[0, 0, 0].item() for m in moved] == pytest.approx(found, rel=1e-14)
    return found


# ---------------------------------------------------------------------- reductions
@BOTH_KINDS
@pytest.mark.parametrize(
    ("reduction", "each"),
    [
        (Reduction.INSTANT, [0, 0, 0, 0, 0, 6]),
        (Reduction.MEAN, [1, 1, 1, 1, 1, 1]),
        (Reduction.SUM, [6, 6, 6, 6, 6, 6]),
        (Reduction.INTEGRAL, [21600, 21600, 21600, 21600, 21600, 21600]),
    ],
)
def test_a_linear_reduction_gives_back_its_weights(toys, reduction, each, kind):
    # six hours of the value of the period: of the mean, each hour has a sixth
    run = pair(toys, Timing(reduction=reduction))
    assert weights(run, toys, (AMOUNT, toys.at(6)), SIX, kind=kind) == pytest.approx(each, rel=1e-14)


@BOTH_KINDS
@pytest.mark.parametrize(
    ("reduction", "values", "hour"),
    [
        (Reduction.MIN, [4, 2, 5, 2, 3, 9], 1),  # attained twice: the first counts
        (Reduction.MAX, [4, 9, 5, 2, 9, 9], 1),
        (Reduction.MIN, [3, 3, 3, 3, 3, 3], 0),
        (Reduction.MAX, [1, 2, 3, 4, 5, 6], 5),
    ],
)
def test_an_extreme_gives_all_to_the_step_that_attained_it_first(toys, reduction, values, hour, kind):
    run = pair(toys, Timing(reduction=reduction))
    found = weights(run, toys, (AMOUNT, toys.at(6)), [float(v) for v in values], kind=kind)
    assert found == [6.0 if h == hour else 0.0 for h in range(6)]


def test_extremes_are_attained_cell_by_cell_and_member_by_member(toys):
    run = pair(toys, Timing(reduction=Reduction.MAX), members=2)
    first = torch.tensor([[1.0, 5.0, 1.0, 5.0], [5.0, 5.0, 1.0, 1.0]], dtype=torch.float64)
    with run.recording():
        run.put(FLUX, first)
        run.advance(toys.at(1))
        run.put(FLUX, torch.full((2, 4), 3.0, dtype=torch.float64))
        run.advance(toys.at(6))
    back = run.vjp({(AMOUNT, toys.at(6)): ONE.expand(1, 2, 4)})
    assert back[FLUX, toys.at(0)][0].tolist() == [[0, 6, 0, 6], [6, 6, 0, 0]]
    assert back[FLUX, toys.at(1)][0].tolist() == [[6, 0, 6, 0], [0, 0, 6, 6]]


# ---------------------------------------------------------------------- lags, interpolation
@BOTH_KINDS
def test_what_is_lagged_counts_a_period_later_and_the_initial_value_not_at_all(toys, kind):
    run = pair(toys, Timing(reduction=Reduction.MEAN, lag=1, initial=7.0))
    assert weights(run, toys, (AMOUNT, toys.at(6)), kind=kind) == [0.0] * 12
    run.rewind(run.start())
    assert weights(run, toys, (AMOUNT, toys.at(12)), kind=kind) == pytest.approx([1.0] * 6 + [0.0] * 6)


def test_on_a_line_both_periods_count(toys):
    # one period of 6 h; the tank's steps of 2 h end a third, two thirds and all of the way into the second
    run = pair(toys, Timing(interpolation=Interpolation.LINEAR, initial=0.0), (6, 2))
    found = weights(run, toys, ("tank.inflow", toys.at(8)), SIX, 2)
    assert found == pytest.approx([2 / 3, 0, 0, 1 / 3, 0, 0])
    run.rewind(run.start())
    # 2 h each of a third, two thirds and all of the first, then of two thirds, a third and nothing of it
    found = weights(run, toys, (AMOUNT, toys.at(12)), SIX, 2)
    assert found == pytest.approx([6.0, 0, 0, 4.0, 0, 0])


def test_of_two_ends_the_nearer_counts(toys):
    run = pair(toys, Timing(interpolation=Interpolation.NEAREST, initial=0.0), (6, 2))
    assert weights(run, toys, ("tank.inflow", toys.at(8)), SIX, 2) == [1, 0, 0, 0, 0, 0]
    run.rewind(run.start())
    assert weights(run, toys, ("tank.inflow", toys.at(10)), SIX, 2) == [0, 0, 0, 1, 0, 0]


# ---------------------------------------------------------------------- in space
def test_factors_count_and_offsets_do_not(toys):
    factor = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    run = pair(toys, Timing(reduction=Reduction.MEAN), factor=factor, offset=100.0, merge=Merge.SUM)
    with run.recording():
        run.put(FLUX, ONE[0])
        run.advance(toys.at(6))
    assert run.get(AMOUNT)[0].tolist() == pytest.approx([606.0, 612.0, 618.0, 624.0])
    assert run.vjp({(AMOUNT, toys.at(6)): ONE})[FLUX, toys.at(0)][0, 0].tolist() == pytest.approx(
        [6, 12, 18, 24]
    )
    moved = run.jvp({(FLUX, toys.at(0)): ONE}, [(AMOUNT, toys.at(6))])
    assert moved[AMOUNT, toys.at(6)][0, 0].tolist() == pytest.approx([6, 12, 18, 24])


class Tiled:
    """Exports two of its parameters: a column of two levels, and a fraction."""

    def __init__(self, toys):
        self.toys = toys

    def describe(self):
        column = self.toys.Variable("column", "kg s-1", self.toys.COARSE, extra=(("level", 2),))
        part = self.toys.Variable("part", "1", self.toys.COARSE)
        return self.toys.Spec(exports=(column, part), parameters=(column, part))

    def initialize(self, spec, layouts, members):
        return self.toys.State()

    def step(self, state, imports, parameters, interval):
        return {"column": parameters["column"], "part": parameters["part"]}, state

    def finalize(self): ...


def joined(toys, source, target):
    return Exchange(source, target, IdentityOperator(Distributed(source.layout)))


def tiled(toys, target, levels=None):
    """Return a run in which the column, times the moving fraction, comes to `target`."""
    source = toys.participant("tiles", Tiled(toys))
    to = toys.end(target, "imports", "inflow")
    moving = replace(joined(toys, toys.end(source, "exports", "part"), to), merge=Merge.SUM)
    exchange = joined(toys, toys.end(source, "exports", "column"), to)
    exchange = replace(exchange, levels=levels, moving=moving, merge=Merge.SUM)
    return toys.CoupledRun(toys.Clock(toys.START, toys.at(2), toys.HOUR), [source, target], [exchange])


COLUMN = torch.tensor([[[1.0, 2, 3, 4], [10, 20, 30, 40]]], dtype=torch.float64)
PART = torch.tensor([[0.5, 0.25, 1.0, 0.0]], dtype=torch.float64)


def test_a_moving_fraction_obeys_the_rule_of_products(toys):
    # inflow = part (2 lower + upper / 10): derivatives 2 part, part / 10, and 3, 6, 9, 12
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(1.0)})
    run = tiled(toys, tank, OneLevel(LevelWeights((((0, 2.0), (1, 0.1)),), 2)))
    with run.recording():
        run.put("tiles.column", COLUMN)
        run.put("tiles.part", PART)
        run.advance(toys.at(1))
    assert run.get("tank.inflow")[0].tolist() == pytest.approx([1.5, 1.5, 9.0, 0.0])
    back = run.vjp({("tank.inflow", toys.at(1)): ONE})
    lower, upper = back["tiles.column", toys.at(0)][0, 0].tolist()
    assert (lower, upper) == (pytest.approx([1.0, 0.5, 2.0, 0.0]), pytest.approx([0.05, 0.025, 0.1, 0.0]))
    assert back["tiles.part", toys.at(0)][0, 0].tolist() == pytest.approx([3.0, 6.0, 9.0, 12.0])
    along = {
        ("tiles.part", toys.at(0)): ONE,
        ("tiles.column", toys.at(0)): ONE[:, :, None].expand(1, 1, 2, 4),
    }
    moved = run.jvp(along, [("tank.inflow", toys.at(1))])["tank.inflow", toys.at(1)][0, 0]
    assert moved.tolist() == pytest.approx([3 + 2.1 / 2, 6 + 2.1 / 4, 9 + 2.1, 12.0])


def test_one_fraction_for_all_levels_gathers_what_each_gives_back(toys):
    class Column(toys.Tank):
        def describe(self):
            extra = (("level", 2),)
            inflow, amount = (
                toys.Variable(n, "kg s-1", self.grid, extra=extra) for n in ("inflow", "amount")
            )
            return toys.Spec((inflow,), (replace(amount, name="level"),), (amount,), linear=True)

        def initialize(self, spec, layouts, members):
            return toys.State({"amount": torch.zeros(members, 2, 4, dtype=torch.float64)})

        def step(self, state, imports, parameters, interval):
            amount = state.fields["amount"] + imports["inflow"]
            return {"level": amount}, toys.State({"amount": amount})

    run = tiled(toys, toys.participant("tank", Column()))
    with run.recording():
        run.put("tiles.column", COLUMN)
        run.put("tiles.part", PART)
        run.advance(toys.at(1))
    assert torch.equal(run.get("tank.level"), PART[:, None] * COLUMN)
    back = run.vjp({("tank.level", toys.at(1)): torch.ones(1, 1, 2, 4, dtype=torch.float64)})
    assert back["tiles.part", toys.at(0)][0, 0].tolist() == [11.0, 22.0, 33.0, 44.0]
    assert back["tiles.column", toys.at(0)][0, 0].tolist() == PART.expand(2, 4).tolist()


# ---------------------------------------------------------------------- puts, and who runs ahead
@BOTH_KINDS
def test_a_put_counts_from_its_component_s_next_step_on(toys, kind):
    # the source steps first, for six hours: what is put after the tank's first hour comes too late for these
    run = pair(toys, Timing(), (6, 1))
    found = weights(run, toys, (AMOUNT, toys.at(12)), kind=kind)
    assert found == [6.0, *[0.0] * 5, 6.0, *[0.0] * 5]


def test_one_value_for_all_members_gathers_over_them_through_an_extreme(toys):
    run = pair(toys, Timing(reduction=Reduction.MIN), members=3)
    with run.recording():
        run.put(FLUX, ONE[0])
        run.advance(toys.at(6))
    cotangent = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)[None, :, None].expand(1, 3, 4)
    assert run.vjp({(AMOUNT, toys.at(6)): cotangent})[FLUX, toys.at(0)].tolist() == [[[666.0] * 4]]


# ---------------------------------------------------------------------- what needs no adjoint
def beside(toys, put):
    """Return a tank filled by a source, and by another that has no adjoint; put into one of these."""

    class Rigid(toys.Source):
        def describe(self):
            return replace(super().describe(), differentiable=False)

    flux = {"flux": torch.ones(1, 4, dtype=torch.float64)}
    source = toys.participant("source", toys.Source(), flux)
    rigid = toys.participant("rigid", Rigid(), flux)
    tank = toys.participant("tank", toys.Tank(), {"rate": toys.scalar(1.0)})
    merged = [replace(toys.connect(p, "flux", tank, "inflow"), merge=Merge.SUM) for p in (source, rigid)]
    run = toys.CoupledRun(toys.Clock(toys.START, toys.at(2), toys.HOUR), [source, rigid, tank], merged)
    with run.recording():
        run.put(put, ONE[0])
        run.advance(toys.at(2))
    return run


def test_a_component_that_no_put_can_reach_needs_no_adjoint(toys):
    back = beside(toys, FLUX).vjp({(AMOUNT, toys.at(2)): ONE, ("rigid.flux", toys.at(1)): ONE})
    assert back[FLUX, toys.at(0)].tolist() == [[[2.0] * 4]]


def test_a_component_that_a_put_reaches_does(toys):
    run = beside(toys, "rigid.flux")
    with pytest.raises(NotDifferentiableError, match="component 'rigid': has no adjoint"):
        run.vjp({(AMOUNT, toys.at(2)): ONE})
    with pytest.raises(NotDifferentiableError, match="component 'rigid': has no adjoint"):
        run.jvp({("rigid.flux", toys.at(0)): ONE}, [(AMOUNT, toys.at(2))])
