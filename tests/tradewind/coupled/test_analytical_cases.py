"""Two components, one exchange, numbers on paper: what comes out of a run, and what the ledger says."""

from __future__ import annotations

from datetime import timedelta
from math import pi

import pytest
import torch

from tradewind.bench.exchange import analytical
from tradewind.bench.exchange.analytical import HOUR, OCTANTS, numbered, readings
from tradewind.bench.exchange.toys import START, Gauge, coupled, end, joined, participant
from tradewind.couplers.coupling.time.timing import Interpolation, Reduction, Timing
from tradewind.errors import ConfigError

ROUNDING = 4e-16
CASES = dict(analytical.cases())


def pair(steps, timing, values=lambda n: n + 1.0, cycle=6 * HOUR, count=2, fraction=None):
    """Return a run of a source whose step n exports values(n), and a gauge."""
    source = participant("source", numbered(steps[0], values), steps[0])
    gauge = participant("gauge", Gauge(OCTANTS), steps[1])
    exchange = joined(end(source, "x"), end(gauge, "x"), timing, fraction)
    return coupled({"source": source, "gauge": gauge}, [exchange], cycle, count)


def given(run, every):
    return readings(run, "gauge.given", every).tolist()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_comes_out_is_what_was_worked_out_by_hand(case):
    came, expected = case()
    torch.testing.assert_close(came, expected, rtol=ROUNDING, atol=ROUNDING)


def test_the_largest_error_of_any_case_is_rounding():
    found = analytical.errors()
    assert found.keys() == CASES.keys()
    assert max(found.values()) <= ROUNDING


def test_an_error_in_a_case_would_be_seen(monkeypatch):
    one = torch.ones(1, dtype=torch.float64)
    monkeypatch.setattr(analytical, "cases", lambda: [("off by a part in 10^9", lambda: (one + 1e-9, one))])
    assert analytical.errors()["off by a part in 10^9"] == pytest.approx(1e-9, rel=1e-6)


# ---------------------------------------------------------------------- accumulation
def test_a_mean_weighs_steps_by_their_length():
    # 1, 2, 3 in steps of 2 h: the mean of 6 h is 2, then 4, 5, 6: 5; each is given twice, in steps of 3 h
    run = pair((2 * HOUR, 3 * HOUR), Timing(reduction=Reduction.MEAN))
    assert given(run, 3 * HOUR) == pytest.approx([2.0, 2.0, 5.0, 5.0], rel=ROUNDING)


def test_a_fast_target_is_given_a_slow_sources_value_at_every_step():
    run = pair((6 * HOUR, 2 * HOUR), Timing())
    assert given(run, 2 * HOUR) == [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]


def test_a_period_may_be_shorter_than_the_coupling_interval():
    # means of 1, 2 | 3, 4 | 5, 6 within 6 h
    run = pair((HOUR, 2 * HOUR), Timing(reduction=Reduction.MEAN), count=1)
    assert given(run, 2 * HOUR) == [1.5, 3.5, 5.5]


def test_an_amount_is_not_given_twice():
    with pytest.raises(ConfigError, match="would be given 2 times"):
        pair((HOUR, 3 * HOUR), Timing(every=6 * HOUR, reduction=Reduction.INTEGRAL))


# ---------------------------------------------------------------------- lags and interpolation
def test_with_a_lag_of_two_intervals_two_values_are_the_initial_one():
    run = pair((HOUR, HOUR), Timing(lag=2, initial=-1.0), cycle=HOUR, count=5)
    assert given(run, HOUR) == [-1.0, -1.0, 1.0, 2.0, 3.0]


def test_a_lag_counts_periods_not_steps():
    # periods of 2 h with the means 1.5, 3.5, 5.5
    timing = Timing(every=2 * HOUR, reduction=Reduction.MEAN, lag=1, initial=0.0)
    assert given(pair((HOUR, HOUR), timing, count=1), HOUR) == [0.0, 0.0, 1.5, 1.5, 3.5, 3.5]


def test_between_two_periods_values_lie_on_a_line():
    # 4 before the start, 1 at 6 h, 2 at 12 h; at the ends of steps of 2 h: a third of the way at a time
    timing = Timing(interpolation=Interpolation.LINEAR, initial=4.0)
    expected = [3.0, 2.0, 1.0, 4.0 / 3.0, 5.0 / 3.0, 2.0]
    assert given(pair((6 * HOUR, 2 * HOUR), timing), 2 * HOUR) == pytest.approx(expected, rel=2 * ROUNDING)


def test_two_that_wait_for_each_other_without_a_lag_are_refused():
    two = {name: participant(name, Gauge(OCTANTS)) for name in ("a", "b")}
    exchanges = [
        joined(end(two["a"], "given"), end(two["b"], "x")),
        joined(end(two["b"], "given"), end(two["a"], "x")),
    ]
    with pytest.raises(ConfigError, match="circle"):
        coupled(two, exchanges, HOUR, 1)


# ---------------------------------------------------------------------- the ledger
def moved(run):
    run.advance(run.clock.stop)
    return run.ledger


def test_the_ledger_has_one_entry_for_each_period():
    entries = moved(pair((HOUR, 3 * HOUR), Timing(reduction=Reduction.MEAN)))
    assert [entry.interval.start for entry in entries] == [START + n * 3 * HOUR for n in range(4)]


def test_what_left_is_the_mean_over_the_whole_sphere():
    # of 1, 2, 3 everywhere: 2 times 4 pi steradian
    entry = moved(pair((HOUR, 3 * HOUR), Timing(reduction=Reduction.MEAN)))[0]
    assert entry.left == pytest.approx(8.0 * pi, rel=ROUNDING)
    assert abs(entry.residual) <= ROUNDING


def test_a_lag_does_not_change_what_has_left_for_a_period():
    # in the second period arrives what left in the first: 1 times 4 pi
    entries = moved(pair((HOUR, HOUR), Timing(lag=1, initial=9.0), cycle=HOUR, count=3))
    assert [entry.left / (4.0 * pi) for entry in entries] == pytest.approx([9.0, 1.0, 2.0], rel=ROUNDING)
    assert max(abs(entry.residual) for entry in entries) <= ROUNDING


def test_what_a_fraction_keeps_back_is_withheld_not_lost():
    quarter = torch.full((OCTANTS.size,), 0.25, dtype=torch.float64)
    entry = moved(pair((HOUR, HOUR), Timing(), cycle=HOUR, count=1, fraction=quarter))[0]
    assert (entry.arrived, entry.withheld) == pytest.approx((pi, 3.0 * pi), rel=ROUNDING)
    assert abs(entry.residual) <= ROUNDING


def test_taking_only_the_last_of_a_varying_flux_loses_what_the_ledger_then_shows():
    # 1, 2, 3 left, 2 on average; 3 arrived: half as much again
    entry = moved(pair((HOUR, 3 * HOUR), Timing(reduction=Reduction.INSTANT), count=1))[0]
    assert entry.residual == pytest.approx(0.5, rel=1e-15)


@pytest.mark.parametrize("steps", [1, 2, 3, 6])
def test_mass_is_kept_whatever_the_steps_of_the_target(steps):
    # 1 + ... + 12 in steps of 1 h: 78 h
    run = pair((HOUR, timedelta(hours=steps)), Timing(reduction=Reduction.MEAN))
    run.advance(run.clock.stop)
    assert float(run.get("gauge.total")[0, 0]) == pytest.approx(78.0 * 3600.0, rel=ROUNDING)
