"""What the ledger says of fields on their way, and what is refused; numbers by hand.

All fields are constant over the sphere: an integral is a value times 4 pi.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf, nan, pi

import pytest
import torch

from tradewind.bench.exchange.analytical import OCTANTS, numbered
from tradewind.bench.exchange.toys import START, UNITS, Gauge, coupled, end, joined, participant
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Kind, Spec, State, Variable
from tradewind.couplers.coupling.how import Merge
from tradewind.couplers.coupling.levels import LevelWeights, OneLevel
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.errors import ConfigError, DataError, LedgerError, SpecError

HOUR, SPHERE = timedelta(hours=1), 4.0 * pi


def pair(steps, timing=None, values=lambda n: n + 1.0, cycle=6, count=1, **changes):
    """Return a run of a source whose step n exports values(n), and a gauge; steps in hours."""
    source = participant("source", numbered(steps[0] * HOUR, values), steps[0] * HOUR)
    gauge = participant("gauge", Gauge(OCTANTS), steps[1] * HOUR)
    exchange = replace(joined(end(source, "x"), end(gauge, "x"), timing), **changes)
    return coupled({"source": source, "gauge": gauge}, [exchange], cycle * HOUR, count)


def moved(run):
    """Run to the end; return left and arrived by period, over the sphere."""
    run.advance(run.clock.stop)
    return [(entry.left / SPHERE, entry.arrived / SPHERE) for entry in run.ledger]


def close(*pairs):
    return [(pytest.approx(left, rel=1e-14), pytest.approx(arrived, rel=1e-14)) for left, arrived in pairs]


# ---------------------------------------------------------------------- what left, what arrived
@pytest.mark.parametrize(
    ("reduction", "left", "arrived"),
    [
        # 1, 2, 3 in steps of 2 h
        (Reduction.INSTANT, 2.0, 3.0),
        (Reduction.MEAN, 2.0, 2.0),
        (Reduction.SUM, 6.0, 6.0),
        (Reduction.INTEGRAL, 43_200.0, 43_200.0),
        (Reduction.MIN, 2.0, 1.0),
        (Reduction.MAX, 2.0, 3.0),
    ],
)
def test_a_flux_leaves_step_by_step_and_arrives_as_it_was_reduced(reduction, left, arrived):
    assert moved(pair((2, 6), Timing(reduction=reduction))) == close((left, arrived))


def test_a_slow_flux_arrives_in_parts():
    # 1 for 6 h, given in steps of 2 h: a third, three times
    assert moved(pair((6, 2), count=2)) == close((1.0, 1.0), (2.0, 2.0))


def test_with_a_lag_the_entry_is_that_of_the_period_in_which_it_arrives():
    run = pair((1, 6), Timing(reduction=Reduction.MEAN, lag=1, initial=10.0), count=3)
    # means 3.5 and 9.5, one period later
    assert moved(run) == close((10.0, 10.0), (3.5, 3.5), (9.5, 9.5))
    assert [entry.interval.start for entry in run.ledger] == [START + k * 6 * HOUR for k in range(3)]


def test_what_lies_on_a_line_left_in_the_same_parts():
    # 4 before, 1 at 6 h: 3, 2, 1 arrive
    timing = Timing(interpolation=Interpolation.LINEAR, initial=4.0)
    assert moved(pair((6, 2), timing)) == close((2.0, 2.0))


def test_a_sum_of_what_was_initial_is_given_once():
    timing = Timing(reduction=Reduction.SUM, lag=1, initial=5.0)
    assert moved(pair((1, 6), timing, count=2)) == close((5.0, 5.0), (21.0, 21.0))


def test_an_initial_field_and_a_field_of_members_fit():
    ramp = torch.arange(8.0, dtype=torch.float64)
    for initial in (ramp, ramp[None]):
        run = pair((6, 6), Timing(lag=1, initial=initial))
        run.advance(run.clock.stop)
        assert run.get("gauge.given").tolist() == [ramp.tolist()]


def test_an_initial_field_of_another_shape_is_refused():
    with pytest.raises(SpecError, match=r"gauge\.x: its initial value has shape \(3,\), expected .* \(8,\)"):
        pair((6, 6), Timing(lag=1, initial=torch.ones(3)))


def test_the_same_tensor_can_stand_for_different_steps():
    """A component that exports one of two tensors by turns: 1, 9 | 2, 9 with `instant`."""
    nine = torch.full((OCTANTS.size,), 9.0, dtype=torch.float64)
    source = numbered(3 * HOUR, lambda n: n / 2 + 1.0)
    turns = replace(source, value=lambda i: nine if (i.start - START) % (6 * HOUR) else source.value(i))
    both = participant("source", turns, 3 * HOUR), participant("gauge", Gauge(OCTANTS), 6 * HOUR)
    exchange = joined(end(both[0], "x"), end(both[1], "x"))
    run = coupled({p.name: p for p in both}, [exchange], 6 * HOUR, 2)
    assert moved(run) == close((5.0, 9.0), (5.5, 9.0))


# ---------------------------------------------------------------------- factors, fractions, levels
def test_factor_and_offset_count_on_both_sides():
    # 2 x + 100 of a mean of 3.5
    run = pair((1, 6), Timing(reduction=Reduction.MEAN), factor=2.0, offset=100.0)
    assert moved(run) == close((107.0, 107.0))


def test_a_field_as_factor_and_as_offset():
    ramp = torch.arange(8.0, dtype=torch.float64)
    run = pair((6, 6), values=lambda _: 2.0, factor=ramp, offset=ramp)
    # the mean of 3 ramp: 10.5
    assert moved(run) == close((10.5, 10.5))


def test_a_fraction_withholds_and_nothing_is_lost():
    half = torch.full((8,), 0.5, dtype=torch.float64)
    run = pair((6, 6), values=lambda _: 8.0, fraction=half, tolerance=1e-15)
    assert moved(run) == close((8.0, 4.0))
    assert run.ledger[0].withheld == pytest.approx(4.0 * SPHERE)


def with_fraction(fraction, merge=Merge.FRACTIONS, initial=None):
    """Return a run of 8 times a moving fraction, and of 80 times the rest of 1/4."""
    source = participant("source", numbered(6 * HOUR, lambda _: 8.0))
    other = participant("other", numbered(6 * HOUR, lambda _: 80.0))
    cover = participant("cover", numbered(6 * HOUR, fraction))
    gauge = participant("gauge", Gauge(OCTANTS))
    timing = Timing() if initial is None else Timing(lag=1, initial=initial)
    moving = joined(end(cover, "x"), end(gauge, "x"), timing)
    rest = torch.full((8,), 0.25, dtype=torch.float64)
    exchanges = [
        replace(joined(end(source, "x"), end(gauge, "x")), moving=moving, merge=merge),
        replace(joined(end(other, "x"), end(gauge, "x")), fraction=rest, merge=merge),
    ]
    everybody = (gauge, cover, other, source)
    return coupled({p.name: p for p in everybody}, exchanges, 6 * HOUR, 2)


def test_a_moving_fraction_multiplies_and_withholds():
    run = with_fraction(lambda _: 0.75)
    run.advance(START + 6 * HOUR)
    # 3/4 of 8 and 1/4 of 80
    assert run.get("gauge.given").tolist() == [[26.0] * 8]
    first, second = run.ledger
    assert (first.arrived, first.withheld) == pytest.approx((6.0 * SPHERE, 2.0 * SPHERE))
    assert (second.arrived, second.withheld) == pytest.approx((20.0 * SPHERE, 60.0 * SPHERE))
    assert [entry.exchange for entry in run.ledger] == ["source.x -> gauge.x", "other.x -> gauge.x"]


def test_a_fraction_may_lag():
    run = with_fraction(lambda _: 0.5, initial=0.75)
    run.advance(START + 6 * HOUR)
    assert run.get("gauge.given").tolist() == [[26.0] * 8]


def test_moving_fractions_that_do_not_add_up_are_refused_in_the_period_in_which_they_do_not():
    run = with_fraction(lambda n: 0.75 - 0.25 * n)
    run.advance(START + 6 * HOUR)
    with pytest.raises(DataError, match=r"gauge\.x: the fractions of what is merged add up to 0\.75"):
        run.advance(START + 12 * HOUR)


def test_what_is_only_added_up_may_be_any_part():
    run = with_fraction(lambda _: 0.5, Merge.SUM)
    run.advance(START + 6 * HOUR)
    assert run.get("gauge.given").tolist() == [[24.0] * 8]


class Column:
    """Exports two levels, 1 and 3, the first for 1 kg and the second for 10 kg members."""

    def describe(self):
        x = Variable("x", UNITS, OCTANTS, Kind.FLUX_INTENSIVE, extra=(("level", 2),))
        return Spec(exports=(x,))

    def initialize(self, spec, layouts, members):
        return State()

    def step(self, state, imports, parameters, interval):
        levels = torch.tensor([[1.0, 3.0], [10.0, 30.0]], dtype=torch.float64)
        return {"x": levels[..., None].expand(2, 2, 8)}, state


class Tray(Gauge):
    """A gauge for any number of members."""


def column(levels):
    """Return a run with two members, and the exchange of a column to one level."""
    from tradewind.coupled.run import CoupledRun
    from tradewind.couplers.coupling.time.clock import Clock

    source, gauge = participant("source", Column()), participant("gauge", Tray(OCTANTS))
    left, right = (End(p.name, v, p.layouts["x"]) for p, v in (
        (source, source.spec.exports[0]), (gauge, gauge.spec.imports[0])))  # fmt: skip
    identity = IdentityOperator(Distributed(source.layouts["x"]))
    exchange = replace(joined(end(gauge, "x"), end(gauge, "x")), source=left, target=right, levels=levels)
    exchange = replace(exchange, operator=identity, offset=0.5)
    return CoupledRun(Clock(START, START + HOUR, HOUR), [source, gauge], [exchange], members=2)


def test_only_the_levels_that_are_taken_leave():
    # the second level of both members, each with the offset: 3.5 and 30.5
    run = column(OneLevel(LevelWeights((((1, 1.0),),), 2)))
    assert moved(run) == close((34.0, 34.0))
    assert run.get("gauge.given")[:, 0].tolist() == [3.5, 30.5]


def test_a_sum_of_levels_leaves_as_their_sum():
    # (1 + 3) and (10 + 30), and twice the offset for each
    run = column(OneLevel(LevelWeights((((0, 1.0), (1, 1.0)),), 2)))
    assert moved(run) == close((46.0, 46.0))


# ---------------------------------------------------------------------- tolerance
def test_a_loss_beyond_the_tolerance_names_exchange_and_period():
    run = pair((1, 3), Timing(reduction=Reduction.INSTANT), lambda n: float(n > 3), tolerance=0.1)
    what = r"source\.x -> gauge\.x, 2000-01-01 03:00/2000-01-01 06:00: of 8\.37758 that left, 12\.5664"
    with pytest.raises(LedgerError, match=what):
        run.advance(START + 6 * HOUR)


def test_within_the_tolerance_nothing_is_said():
    assert moved(pair((1, 3), Timing(reduction=Reduction.INSTANT), tolerance=0.5, cycle=3)) == close(
        (2.0, 3.0)
    )


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_a_number_fails_any_tolerance(value):
    run = pair((6, 6), values=lambda _: value, tolerance=1e300)
    with pytest.raises(LedgerError, match=r"source\.x -> gauge\.x"):
        run.advance(START + 6 * HOUR)


def test_without_a_tolerance_it_is_only_noted():
    run = pair((6, 6), values=lambda _: nan)
    run.advance(START + 6 * HOUR)
    assert run.ledger[0].residual != run.ledger[0].residual


def test_where_nothing_leaves_nothing_may_arrive():
    run = pair((6, 6), values=lambda _: 0.0, tolerance=0.0)
    assert moved(run) == [(0.0, 0.0)]


def test_masked_cells_may_hold_anything():
    masked = Grid.latlon([-45.0, 45.0], [45.0, 135.0, 225.0, 315.0], mask=[[True] * 4, [True] * 3 + [False]])
    source = numbered(HOUR, lambda _: 2.0, masked)
    hole = replace(source, value=lambda i: source.value(i).index_fill(0, torch.tensor(7), nan))
    both = participant("source", hole), participant("gauge", Gauge(masked))
    exchange = replace(joined(end(both[0], "x"), end(both[1], "x")), tolerance=1e-15)
    run = coupled({p.name: p for p in both}, [exchange], HOUR, 1)
    # seven octants of 2
    assert moved(run) == close((1.75, 1.75))


# ---------------------------------------------------------------------- amounts
def test_an_amount_that_would_be_given_twice_is_refused():
    with pytest.raises(ConfigError, match="the sum of 6:00:00 would be given 2 times"):
        pair((1, 3), Timing(every=6 * HOUR, reduction=Reduction.SUM))
