"""Runs whose components step at rates of their own: inner times, failures, and what must not matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from math import pi

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.bench.exchange.analytical import OCTANTS, numbered
from tradewind.bench.exchange.toys import START, Gauge, coupled, end, joined, participant
from tradewind.coupled.run import CoupledRun
from tradewind.couplers.coupling.component import Interval, Step
from tradewind.couplers.coupling.time.calendars import Calendar
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.errors import ConfigError, LedgerError

HOUR, SPHERE = timedelta(hours=1), 4.0 * pi
MEAN = Timing(reduction=Reduction.MEAN)


def at(hours):
    return START + hours * HOUR


def count(n):
    return n + 1.0


def source(name, hours, values=count):
    return participant(name, numbered(hours * HOUR, values), hours * HOUR)


def gauge(name, hours):
    return participant(name, Gauge(OCTANTS), hours * HOUR)


def link(one, other, timing=None, export="x", **changes):
    exported = next(v for v in one.spec.exports if v.name == export)
    left = replace(end(other, "x"), component=one.name, variable=exported)
    return replace(joined(end(other, "x"), end(other, "x"), timing), source=left, **changes)


def run_of(everybody, exchanges, cycle=6, periods=2):
    return coupled({p.name: p for p in everybody}, exchanges, cycle * HOUR, periods)


def pair(steps, timing=MEAN, values=count, **changes):
    one, other = source("source", steps[0], values), gauge("gauge", steps[1])
    return run_of([other, one], [link(one, other, timing, **changes)])


def reading(run, port="gauge.given"):
    return float(run.get(port)[0, 0])


# ---------------------------------------------------------------------- inner times
def test_a_run_can_stop_wherever_a_step_ends():
    run = pair((1, 3))
    assert [(t - START) // HOUR for t in run.ticks] == list(range(1, 13))
    run.advance(at(5))
    assert (run.time, reading(run, "source.x"), reading(run)) == (at(5), 5.0, 2.0)
    assert next(iter(run.ticks)) == at(6)


@pytest.mark.parametrize("stops", [range(1, 13), (2, 4, 5, 12), (3, 9, 12), (7, 12)])
def test_stopping_on_the_way_changes_nothing(stops):
    at_once, by_and_by = pair((1, 3)), pair((1, 3))
    at_once.advance(at(12))
    for hour in stops:
        by_and_by.advance(at(hour))
    assert by_and_by.ledger == at_once.ledger
    assert torch.equal(by_and_by.get("gauge.total"), at_once.get("gauge.total"))


@pytest.mark.parametrize("hours", [0.5, 1, 5, 13])
def test_where_no_step_ends_a_run_cannot_stop(hours):
    with pytest.raises(
        ConfigError, match=r"no step ends at .*\(steps end 2:00:00, 3:00:00, 4:00:00, 6:00:00"
    ):
        pair((2, 3)).advance(at(hours))


def test_what_is_put_within_a_period_counts_from_then_on(toys):
    # 2 for an hour, 8 for two: a mean of 6 kg/h makes 18 kg
    tap = replace(toys.participant("tap", toys.Source(OCTANTS)), step=HOUR)
    tank = replace(toys.participant("tank", toys.Tank(OCTANTS), {"rate": toys.scalar(1.0)}), step=3 * HOUR)
    exchange = replace(toys.connect(tap, "flux", tank, "inflow"), timing=MEAN)
    run = CoupledRun(Clock(START, at(6), 3 * HOUR), [tap, tank], [exchange])
    for hour, value in ((0, 2.0), (1, 8.0)):
        run.advance(at(hour))
        run.put("tap.flux", torch.full((1, 8), value, dtype=torch.float64))
    run.advance(at(3))
    assert reading(run, "tank.amount") == pytest.approx(18.0, rel=1e-15)


def test_a_state_that_is_put_within_a_period_is_that_of_the_next_step():
    run = pair((1, 3))
    run.advance(at(4))
    run.put("gauge.total", torch.zeros(1, 8, dtype=torch.float64))
    run.advance(at(6))
    # the mean of 4, 5, 6 for three hours
    assert reading(run, "gauge.total") == 5.0 * 3 * 3600


# ---------------------------------------------------------------------- rewinding
@pytest.mark.parametrize("hour", range(1, 12))
def test_a_run_that_is_rewound_to_a_half_full_period_gives_the_same_again(hour):
    run = pair((1, 3), Timing(reduction=Reduction.MAX, lag=1, initial=-1.0))
    run.advance(at(hour))
    kept, so_far = run.moment, list(run.ledger)
    run.advance(at(12))
    total, ledger = run.get("gauge.total"), list(run.ledger)
    run.rewind(kept)
    assert run.ledger == so_far
    run.advance(at(12))
    assert run.ledger == ledger
    assert torch.equal(run.get("gauge.total"), total)


def test_the_entry_of_a_component_that_ran_ahead_is_kept():
    """The slow gauge needs only what was there before: it steps to 6 h before the clock stands at 2 h."""
    slow, fast = gauge("slow", 6), source("fast", 2)
    exchange = link(fast, slow, Timing(lag=1, initial=7.0, reduction=Reduction.MEAN))
    run = run_of([slow, fast], [exchange])
    run.plan.steps = tuple(sorted(run.plan.steps, key=lambda planned: planned.call.component != "slow"))
    run.advance(at(2))
    assert [entry.interval.stop for entry in run.ledger] == [at(6)]
    run.rewind(run.moment)
    assert [entry.interval.stop for entry in run.ledger] == [at(6)]
    run.advance(at(12))
    assert [entry.left / SPHERE for entry in run.ledger] == pytest.approx([7.0, 2.0])


def test_a_second_window_keeps_the_ledger_of_the_first():
    run = pair((1, 3))
    run.advance(at(6))
    run.rewind(run.start(at(6)))
    run.advance(at(12))
    assert [entry.interval.start for entry in run.ledger] == [at(h) for h in (0, 3, 6, 9)]


# ---------------------------------------------------------------------- failures
def failing(hour):
    """Return a run whose gauge fails, once, in the step that begins at `hour`; and the one that does not."""
    one, other = source("source", 1), gauge("gauge", 3)
    failed = []

    def answer(call):
        if call.interval.start == at(hour) and not failed:
            failed.append(call)
            raise ValueError("the model blew up")
        return Step(*other.component.step(call.state, call.imports, call.parameters, call.interval))

    broken = replace(other, answer=answer)
    exchange = link(one, other, Timing(reduction=Reduction.MEAN, lag=1, initial=1.0))
    return run_of([one, broken], [exchange]), run_of([one, other], [exchange])


@pytest.mark.parametrize("hour", [0, 3, 6, 9])
def test_a_step_that_failed_can_be_tried_again(hour):
    run, whole = failing(hour)
    with pytest.raises(ValueError, match="blew up"):
        run.advance(at(12))
    whole.advance(at(12))
    run.advance(at(12))
    assert run.ledger == whole.ledger
    assert torch.equal(run.get("gauge.total"), whole.get("gauge.total"))


def test_after_a_failure_the_run_stands_where_all_had_come(tmp_path):
    run, whole = failing(6)
    with run.recording() as tape, pytest.raises(ValueError, match="blew up"):
        run.advance(at(12))
    # hours 7 to 9 of the source are made, or not, in whatever order: the gauge has come to 6
    assert at(6) <= run.time < at(9)
    assert [entry.interval.stop for entry in run.ledger] == [at(3), at(6)]
    assert len(tape) == run.moment.number
    run.save(tmp_path / "run.safetensors")
    whole.restore(tmp_path / "run.safetensors")
    whole.advance(at(12))
    run.advance(at(12))
    assert torch.equal(run.get("gauge.total"), whole.get("gauge.total"))


def test_a_loss_stops_a_run_before_it_is_given():
    run = pair((1, 3), Timing(), tolerance=1e-9)
    with pytest.raises(LedgerError, match=r"source\.x -> gauge\.x, 2000-01-01 00:00/2000-01-01 03:00"):
        run.advance(at(12))
    assert (run.ledger, "gauge.x" in run.moment.exports) == ([], False)


# ---------------------------------------------------------------------- feedback, open ends, upstream
def echo(lag):
    """Return two gauges that give each other what they were given, one of them by a lag."""
    a, b = gauge("a", 2), gauge("b", 2)
    return run_of([a, b], [link(a, b, export="given"), link(b, a, Timing(lag=lag, initial=5.0), "given")])


def test_a_lag_breaks_a_circle():
    run = echo(1)
    run.advance(at(12))
    assert (reading(run, "a.given"), reading(run, "b.given")) == (5.0, 5.0)
    with pytest.raises(ConfigError, match="circle"):
        echo(0)


def test_nothing_is_upstream_of_a_circle():
    with pytest.raises(ConfigError, match=r"component 'b': feeds what it is fed by \(b\.given -> a\.x\)"):
        echo(1).upstream("b")


@pytest.mark.parametrize(
    "timing",
    [
        MEAN, Timing(every=6 * HOUR, reduction=Reduction.MAX, lag=1, initial=3.0),
        Timing(interpolation=Interpolation.NEAREST, initial=1.0),
    ],
)  # fmt: skip
def test_what_would_reach_a_component_reaches_its_open_end_at_the_same_times(timing):
    whole = pair((2, 3), timing)
    above = whole.upstream("gauge")
    assert [p.name for p in above.participants] == ["source", "gauge"]
    for tick in list(whole.ticks):
        whole.advance(tick)
        above.advance(tick)
        if "gauge.x" in whole.moment.exports:
            assert torch.equal(above.get("gauge.x"), whole.get("gauge.x"))
    assert above.ledger == whole.ledger
    assert list(above.steps_of("gauge", Interval(at(0), at(6)))) == [
        Interval(at(0), at(3)), Interval(at(3), at(6)),
    ]  # fmt: skip


def test_other_calendars_step_by_the_same_plan():
    start = Calendar.DAYS_360.time(2000, 2, 29)
    one, other = source("source", 1, count), gauge("gauge", 3)
    timeless = replace(
        one.component, value=lambda interval: torch.full((8,), float(interval.start.hour)).double()
    )
    one = replace(participant("source", timeless, HOUR), name="source")
    run = CoupledRun(Clock(start, start + 48 * HOUR, 6 * HOUR), [one, other], [link(one, other, MEAN)])
    run.advance(start + 48 * HOUR)
    assert str(run.time) == "2000-03-01 00:00:00"
    # 21, 22, 23
    assert reading(run) == 22.0
    assert len(run.ledger) == 16


# ---------------------------------------------------------------------- whatever the steps
HOURS = st.sampled_from([1, 2, 3, 4, 6, 12])


@settings(max_examples=25)
@given(steps=st.tuples(HOURS, HOURS), lag=st.integers(0, 3), times=st.integers(1, 2))
def test_a_mean_flux_keeps_its_total_whatever_steps_periods_and_lags(steps, lag, times):
    from math import lcm

    period = lcm(*steps) * times
    if 12 % period:
        period = lcm(*steps)
    timing = Timing(every=period * HOUR, reduction=Reduction.MEAN, lag=lag, initial=3.0)
    one, other = source("source", steps[0], lambda n: float((n * 7) % 5)), gauge("gauge", steps[1])
    run = run_of([one, other], [link(one, other, timing, tolerance=1e-14)], 12, 3)
    run.advance(at(36))
    values = [Fraction(n * 7 % 5) for n in range(36 // steps[0])]
    seen = 36 - lag * period
    in_time = sum(values[: max(seen, 0) // steps[0]]) * steps[0] + 3 * min(lag * period, 36)
    assert reading(run, "gauge.total") == pytest.approx(float(in_time) * 3600, rel=1e-14)
    assert max(abs(entry.residual) for entry in run.ledger) <= 1e-14


@settings(max_examples=25)
@given(
    order=st.permutations(range(4)),
    steps=st.tuples(HOURS, HOURS, HOURS, HOURS),
    lag=st.integers(0, 2),
    reduction=st.sampled_from([Reduction.MEAN, Reduction.MIN, Reduction.INSTANT]),
)
def test_the_order_in_which_components_are_declared_does_not_matter(order, steps, lag, reduction):
    everybody = [
        source("one", steps[0]), source("two", steps[1], lambda n: n**2), gauge("a", steps[2]),
        gauge("b", steps[3]),
    ]  # fmt: skip
    one, two, a, b = everybody
    exchanges = [
        link(one, a, Timing(reduction=reduction)),
        link(two, a, Timing(reduction=reduction, lag=lag, initial=1.0)),
        link(a, b, Timing(lag=lag, initial=2.0), "given"),
    ]
    runs = [run_of(some, exchanges, 12) for some in (everybody, [everybody[i] for i in order])]
    for run in runs:
        run.advance(at(24))
    first, second = runs
    for port in ("a.total", "b.total", "b.given"):
        assert torch.equal(first.get(port), second.get(port))
    # entries come in the order of the steps
    assert sorted(map(str, first.ledger)) == sorted(map(str, second.ledger))
