"""What is taken and given at every step, by hand: no field moves here."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import torch

from tradewind.bench.exchange.analytical import OCTANTS
from tradewind.bench.exchange.toys import START, Gauge, Series, end, joined, participant
from tradewind.coupled.stepping.plan import Plan
from tradewind.coupled.stepping.sinks import with_sinks
from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.errors import ConfigError

HOUR = timedelta(hours=1)


def two(source, target, timing=None, **changes):
    """Return a source and a gauge with steps of so many hours, and their exchange."""
    ones = Series(OCTANTS, lambda _: torch.ones(OCTANTS.size, dtype=torch.float64))
    both = [
        participant("source", ones, source * HOUR),
        participant("gauge", Gauge(OCTANTS), target * HOUR),
    ]
    return both, replace(joined(end(both[0], "x"), end(both[1], "x"), timing), **changes)


def plan(source, target, timing=None, cycle=6, **changes):
    both, exchange = two(source, target, timing, **changes)
    return Plan(both, [exchange], cycle * HOUR)


def as_state(exchange):
    """Return the exchange between variables that are no fluxes."""
    ends = (
        replace(e, variable=replace(e.variable, kind=Kind.STATE_INTENSIVE))
        for e in (exchange.source, exchange.target)
    )
    return replace(exchange, **dict(zip(("source", "target"), ends, strict=True)))


def takes(made):
    return [take for planned in made.steps for take in planned.takes]


def gives(made):
    return [give for planned in made.steps for give in planned.gives.get("x", ())]


# ---------------------------------------------------------------------- periods
@pytest.mark.parametrize(
    ("source", "target", "hours"), [(1, 1, 1), (1, 6, 6), (6, 1, 6), (2, 3, 6), (2, 2, 2)]
)
def test_the_period_is_the_least_common_multiple_of_both_steps(source, target, hours):
    channel = plan(source, target, cycle=12).channels[0]
    assert (channel.every, channel.per_cycle) == (hours * HOUR, 12 // hours)


def test_a_period_can_be_longer_than_both_steps():
    channel = plan(1, 2, Timing(every=4 * HOUR), cycle=12).channels[0]
    assert (channel.every, channel.per_cycle) == (4 * HOUR, 3)


@pytest.mark.parametrize(
    ("source", "target", "every", "cycle", "what"),
    [
        (5, 6, None, 6, "component 'source': its step of 5:00:00 does not divide"),
        (1, 4, None, 6, "component 'gauge': its step of 4:00:00 does not divide"),
        (2, 2, 3, 6, r"source\.x -> gauge\.x: its period of 3:00:00 is no multiple of the source's step"),
        (1, 2, 4, 6, r"source\.x -> gauge\.x: its period of 4:00:00 does not divide the coupling interval"),
    ],
)
def test_what_does_not_divide_is_named(source, target, every, cycle, what):
    with pytest.raises(ConfigError, match=what):
        plan(source, target, Timing(every=every and every * HOUR), cycle)


# ---------------------------------------------------------------------- taking
def test_two_hours_are_a_third_of_six():
    found = takes(plan(2, 3, Timing(reduction=Reduction.MEAN)))
    assert [take.weight for take in found] == pytest.approx([1 / 3] * 3)
    assert [(take.opens, take.closes) for take in found] == [(True, False), (False, False), (False, True)]


@pytest.mark.parametrize(
    ("reduction", "weights", "counted"),
    [
        (Reduction.INSTANT, [0, 0, 1], [1 / 3] * 3),
        (Reduction.MEAN, [1 / 3] * 3, [1 / 3] * 3),
        (Reduction.SUM, [1, 1, 1], [1, 1, 1]),
        (Reduction.INTEGRAL, [7200] * 3, [7200] * 3),
    ],
)
def test_a_flux_counts_at_all_times_whatever_is_taken_of_it(reduction, weights, counted):
    found = takes(plan(2, 6, Timing(reduction=reduction)))
    assert [take.weight for take in found] == pytest.approx(weights)
    assert [take.counted for take in found] == pytest.approx(counted)


@pytest.mark.parametrize("reduction", [Reduction.INSTANT, Reduction.MIN, Reduction.MAX])
def test_of_what_is_no_flux_the_periods_value_counts(reduction):
    both, exchange = two(2, 6, Timing(reduction=reduction))
    found = takes(Plan(both, [as_state(exchange)], 6 * HOUR))
    assert [take.counted for take in found] == [0, 0, 1]


def test_windows_are_numbered_within_the_coupling_interval():
    assert [take.window for take in takes(plan(1, 2))] == [0, 0, 1, 1, 2, 2]


# ---------------------------------------------------------------------- giving
def test_steps_of_the_target_share_the_period():
    found = gives(plan(6, 2))
    assert [give.share for give in found] == pytest.approx([1 / 3] * 3)
    assert [give.terms for give in found] == [((0, 1.0),)] * 3
    assert [give.closes for give in found] == [False, False, True]


@pytest.mark.parametrize("lag", [0, 1, 2, 5])
def test_a_lag_looks_back_by_whole_periods(lag):
    found = gives(plan(2, 2, Timing(lag=lag, initial=0.0)))
    assert [give.terms for give in found] == [((k - lag, 1.0),) for k in range(3)]
    # in the second interval, once period 3 + k is given, only the last `lag` are still asked for
    assert [give.kept(1) for give in found] == [3 + k + 1 - lag for k in range(3)]


def test_a_line_is_read_at_the_ends_of_the_targets_steps():
    found = gives(plan(6, 2, Timing(interpolation=Interpolation.LINEAR, initial=0.0)))
    first, second, last = ([*give.terms] for give in found)
    assert first == [(-1, pytest.approx(2 / 3)), (0, pytest.approx(1 / 3))]
    assert second == [(-1, pytest.approx(1 / 3)), (0, pytest.approx(2 / 3))]
    assert last == [(0, 1.0)]


def test_halfway_the_later_is_nearest():
    # ends of steps at 1.5, 3, 4.5 and 6 of 6 hours
    found = gives(plan(6, 1.5, Timing(interpolation=Interpolation.NEAREST, initial=0.0)))
    assert [give.terms[0][0] for give in found] == [-1, 0, 0, 0]


def test_an_interpolation_lags_too():
    timing = Timing(interpolation=Interpolation.LINEAR, lag=2, initial=0.0)
    assert [window for window, _ in gives(plan(6, 3, timing))[0].terms] == [-3, -2]


def test_a_line_between_means_of_a_flux_is_refused():
    timing = Timing(reduction=Reduction.MEAN, interpolation=Interpolation.LINEAR, initial=0.0)
    with pytest.raises(ConfigError, match=r"source\.x -> gauge\.x: a line between two values of mean"):
        plan(6, 1, timing)
    both, exchange = two(6, 1, timing)
    assert Plan(both, [as_state(exchange)], 6 * HOUR).channels[0].timing.interpolation is timing.interpolation


# ---------------------------------------------------------------------- moving fractions
def test_a_fraction_that_several_share_is_brought_once_and_not_counted():
    both, exchange = two(2, 6)
    moving = replace(exchange)
    pair = [replace(exchange, moving=moving), replace(exchange, moving=moving)]
    made = Plan(both, pair, 6 * HOUR)
    assert [channel.is_moving for channel in made.channels] == [False, False, True]
    assert [give.moving.channel.number for give in gives(made)] == [2, 2]
    assert [take.counted for take in takes(made) if take.channel.is_moving] == [0, 0, 0]
    assert made.into("gauge") == tuple(pair)


def test_a_fraction_closes_with_what_it_multiplies():
    both, exchange = two(2, 6)
    made = Plan(both, [replace(exchange, moving=replace(exchange))], 6 * HOUR)
    assert [give.channel.number for give in made.steps[-1].closing] == [0, 1]


# ---------------------------------------------------------------------- how far it has come
def test_ticks_are_the_ends_of_all_steps():
    assert plan(2, 3).ticks == tuple(h * HOUR for h in (2, 3, 4, 6))


def test_how_far_each_has_come():
    # source 2, source 4, source 6, then the gauge, that needs all of them: 3 and 6
    made = plan(2, 3)
    calls = [(planned.call.component, planned.call.stop / HOUR) for planned in made.steps]
    assert calls == [("source", 2), ("source", 4), ("source", 6), ("gauge", 3), ("gauge", 6)]
    assert [made.reached("gauge", n) / HOUR for n in (0, 3, 4, 5, 9)] == [0, 0, 3, 6, 9]
    assert [made.reached("source", n) / HOUR for n in (0, 1, 3, 4, 5, 6)] == [0, 2, 6, 6, 6, 8]
    assert [made.made_at(h * HOUR) for h in (2, 3, 4, 6)] == [1, 4, 4, 5]
    assert [made.reached_by_all(n) / HOUR for n in range(6)] == [0, 2, 2, 2, 4, 6]


def test_steps_have_their_times():
    made = plan(2, 3)
    assert str(made.interval(5 + 3, START)) == "2000-01-01 06:00/2000-01-01 09:00"


# ---------------------------------------------------------------------- open ends
@pytest.mark.parametrize(("source", "every", "hours"), [(1, None, 1), (2, 6, 6), (6, None, 6)])
def test_an_open_end_is_reached_whenever_something_comes(source, every, hours):
    both, exchange = two(source, 6, Timing(every=every and every * HOUR))
    *_, sink = with_sinks(both[:1], [exchange], 6 * HOUR)
    assert (sink.name, sink.step) == ("gauge", hours * HOUR)


def test_an_open_end_of_two_is_reached_in_their_common_measure():
    (slow, _), first = two(3, 6)
    fast = replace(slow, name="fast", step=2 * HOUR)
    second = replace(first, source=replace(first.source, component="fast"))
    assert with_sinks([slow, fast], [first, second], 6 * HOUR)[-1].step == HOUR


def test_the_sum_of_a_period_reaches_an_open_end():
    both, exchange = two(1, 6, Timing(every=3 * HOUR, reduction=Reduction.SUM))
    everybody = with_sinks(both[:1], [exchange], 6 * HOUR)
    assert [give.share for give in gives(Plan(everybody, [exchange], 6 * HOUR))] == [1.0, 1.0]
