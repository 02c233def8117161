"""Totals of a ledger: what counts per second, what is added, and what weighs how much."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.budget import EARTH_RADIUS, Budget, Counted
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.exchange import End, Exchange
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.coupling.ledger import LedgerEntry
from tradewind.couplers.coupling.time.timing import Reduction, Timing
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, IdentityOperator
from tradewind.couplers.ranks.layout import Layout

START = datetime(2000, 1, 1)


def entry(hours: float, left: float, arrived: float = 0.0, **parts: float) -> LedgerEntry:
    return LedgerEntry("a.x -> b.y", Interval(START, START + timedelta(hours=hours)), left, arrived, **parts)


def budget(units="kg m-2 s-1", counted=Counted.FLUX, per_area=True, entries=()):
    return Budget("a.x -> b.y", units, counted, per_area, tuple(entries))


class TestTotals:
    def test_of_rates_count_for_as_long_as_they_last(self):
        # 2 for one hour and 5 for two: 3600 (2 + 10)
        found = budget("K s-1", entries=[entry(1, 2.0), entry(2, 5.0)])
        assert found.total("left") == 43200.0

    def test_of_amounts_are_sums(self):
        found = budget("K", Counted.AMOUNT, entries=[entry(1, 2.0), entry(2, 5.0)])
        assert found.total("left") == 7.0

    def test_of_states_are_means_over_time(self):
        # (1 h 2 + 3 h 6) / 4 h
        found = budget("K", Counted.STATE, entries=[entry(1, 2.0), entry(3, 6.0)])
        assert found.total("left") == 5.0

    @pytest.mark.parametrize("counted", list(Counted))
    def test_of_nothing_are_nothing(self, counted):
        found = budget(counted=counted)
        assert (found.total("left"), found.residual, found.worst) == (0.0, 0.0, None)

    def test_are_of_every_part(self):
        found = budget("K s-1", entries=[entry(1, 10.0, 6.0, unmapped=3.0, withheld=1.0)])
        parts = [found.total(p) for p in ("left", "arrived", "unmapped", "withheld", "difference")]
        assert parts == [36000.0, 21600.0, 10800.0, 3600.0, 0.0]


class TestWeight:
    def test_a_flux_per_area_becomes_kilograms_on_the_earth(self):
        # one sphere, 4 pi steradian, of 1 kg m-2 s-1, for an hour: its area in m2 times 3600 s
        found = budget(entries=[entry(1, 4 * math.pi)])
        assert found.weight.units == "kg"
        assert found.total("left") == pytest.approx(4 * math.pi * EARTH_RADIUS**2 * 3600, rel=1e-15)

    def test_grams_are_converted(self):
        found = budget("g s-1", per_area=False, entries=[entry(1, 500.0)])
        assert (found.total("left"), found.weight.units) == (1800.0, "kg")

    def test_an_amount_of_mass_is_not_counted_per_second(self):
        found = budget("kg m-2", Counted.AMOUNT, entries=[entry(1, 1.0)])
        assert found.total("left") == EARTH_RADIUS**2

    @pytest.mark.parametrize(
        ("units", "counted", "per_area", "shown"),
        [
            ("W m-2", Counted.FLUX, True, "W m-2 sr s"),
            ("mol s-1", Counted.FLUX, False, "mol s-1 s"),
            ("K", Counted.STATE, True, "K sr"),
            ("1", Counted.STATE, True, "sr"),
            ("1", Counted.AMOUNT, False, "1"),
            # the mass that is there is no mass that was moved
            ("kg", Counted.STATE, False, "kg"),
        ],
    )
    def test_what_is_no_mass_stays_in_its_units(self, units, counted, per_area, shown):
        weight = budget(units, counted, per_area).weight
        assert (weight.factor, weight.units) == (1.0, shown)


class TestResiduals:
    def test_the_whole_run_may_close_where_its_periods_do_not(self):
        found = budget(entries=[entry(1, 10.0, 9.0), entry(1, 10.0, 11.0)])
        assert found.residual == 0.0
        assert abs(found.worst.residual) == 0.1

    def test_the_worst_is_the_largest_in_size(self):
        entries = [entry(1, 10.0, 10.5), entry(1, 10.0, 9.0), entry(1, 10.0, 10.2)]
        assert budget(entries=entries).worst is entries[1]

    def test_one_that_is_not_known_is_the_worst(self):
        entries = [entry(1, 10.0, 1.0), entry(1, math.nan, 9.0)]
        found = budget(entries=entries)
        assert found.worst is entries[1]
        assert math.isnan(found.residual)

    def test_where_nothing_left_the_difference_is_shown(self):
        assert budget("K s-1", entries=[entry(1, 0.0, 2.0)]).residual == 7200.0

    @given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=20), st.floats(-0.5, 0.5))
    def test_the_same_loss_in_every_period_is_that_of_the_run(self, left, loss):
        found = budget(entries=[entry(1, x, x * (1 + loss)) for x in left])
        assert found.residual == pytest.approx(loss, abs=1e-12)


def exchange(source: Kind, target: Kind, reduction: Reduction = Reduction.MEAN) -> Exchange:
    layout = Layout(Grid.latlon(np.array([0.0, 10.0]), np.array([0.0, 10.0])))
    ends = [End(c, Variable(v, "kg", layout.grid, k), layout) for c, v, k in
            (("a", "x", source), ("b", "y", target))]  # fmt: skip
    return Exchange(*ends, IdentityOperator(Distributed(layout)), timing=Timing(reduction=reduction))


class TestOfAnExchange:
    @pytest.mark.parametrize(
        ("source", "target", "reduction", "counted"),
        [
            (Kind.STATE_INTENSIVE, Kind.STATE_INTENSIVE, Reduction.INSTANT, Counted.STATE),
            (Kind.FLUX_INTENSIVE, Kind.FLUX_INTENSIVE, Reduction.MEAN, Counted.FLUX),
            # one end says flux: its total counts
            (Kind.FLUX_INTENSIVE, Kind.STATE_INTENSIVE, Reduction.INSTANT, Counted.FLUX),
            (Kind.FLUX_INTENSIVE, Kind.FLUX_INTENSIVE, Reduction.INTEGRAL, Counted.AMOUNT),
            (Kind.STATE_EXTENSIVE, Kind.STATE_EXTENSIVE, Reduction.SUM, Counted.AMOUNT),
        ],
    )
    def test_its_ends_and_reduction_say_how_it_counts(self, source, target, reduction, counted):
        assert Budget.of(exchange(source, target, reduction), []).counted is counted

    def test_it_takes_its_own_entries_in_their_order(self):
        mine, other = entry(1, 1.0), LedgerEntry("a.z -> b.y", Interval(START, START), 1.0, 1.0)
        found = Budget.of(exchange(Kind.FLUX_EXTENSIVE, Kind.FLUX_EXTENSIVE), [mine, other, mine])
        assert found.entries == (mine, mine)
        assert not found.per_area
