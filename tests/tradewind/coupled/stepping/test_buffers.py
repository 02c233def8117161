"""Buffers: accumulations, extremes, mixes and tallies, number by number."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tradewind.coupled.stepping.buffers import Buffer, Tally, accumulated, extreme, mixed
from tradewind.couplers.coupling.time.timing import Reduction

NAN = float("nan")


def numbers(*values):
    return torch.tensor([values], dtype=torch.float64)


def take(window=0, weight=1.0, reduction=Reduction.MEAN):
    timing = SimpleNamespace(reduction=reduction)
    return SimpleNamespace(window=window, weight=weight, channel=SimpleNamespace(timing=timing))


def give(*terms):
    return SimpleNamespace(terms=terms)


def test_exports_come_together_by_their_weights():
    windows = accumulated({}, take(weight=0.25), 4, numbers(8.0))
    windows = accumulated(windows, take(weight=0.75), 4, numbers(4.0))
    assert windows == {4: numbers(5.0)}


def test_windows_are_counted_from_the_interval():
    windows = accumulated({7: numbers(1.0)}, take(window=2), 6, numbers(3.0))
    assert {k: v.tolist() for k, v in windows.items()} == {7: [[1.0]], 8: [[3.0]]}


def test_what_does_not_enter_leaves_no_trace():
    assert accumulated({}, take(weight=0.0), 0, numbers(NAN)) == {}


def test_a_buffer_that_was_kept_does_not_change():
    kept = {0: numbers(1.0)}
    accumulated(kept, take(), 0, numbers(1.0))
    extreme(kept, take(reduction=Reduction.MAX), 0, numbers(5.0))
    assert kept[0].tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("reduction", "value", "where"),
    [
        (Reduction.MIN, [1.0, 2.0, 1.0], [True, False, False]),
        (Reduction.MAX, [3.0, 2.0, 4.0], [False, False, True]),
    ],
)
def test_of_equals_the_earlier_stays(reduction, value, where):
    windows, first = extreme({}, take(reduction=reduction), 0, numbers(3.0, 2.0, 1.0))
    windows, chosen = extreme(windows, take(reduction=reduction), 0, numbers(1.0, 2.0, 4.0))
    assert bool(first.all())
    assert (windows[0].tolist(), chosen.tolist()) == ([value], [where])


@pytest.mark.parametrize("reduction", [Reduction.MIN, Reduction.MAX])
def test_what_is_not_a_number_stays_one(reduction):
    windows, _ = extreme({}, take(reduction=reduction), 0, numbers(NAN, 1.0))
    windows, _ = extreme(windows, take(reduction=reduction), 0, numbers(2.0, NAN))
    windows, _ = extreme(windows, take(reduction=reduction), 0, numbers(3.0, 3.0))
    assert bool(windows[0].isnan().all())


def test_values_are_mixed_in_order():
    windows = {2: numbers(3.0), 3: numbers(6.0)}
    assert mixed(windows, give((-1, 2 / 3), (0, 1 / 3)), 3).tolist() == [[pytest.approx(4.0)]]


def test_the_whole_value_is_given_as_it_is():
    windows = {3: numbers(6.0)}
    assert mixed(windows, give((0, 1.0)), 3) is windows[3]


def test_of_nothing_comes_nothing_and_of_a_part_its_share():
    assert mixed({}, give((0, 1.0)), 3) is None
    assert mixed({3: numbers(6.0)}, give((-1, 0.5), (0, 0.5)), 3).tolist() == [[3.0]]


def test_a_tally_adds_shares():
    found = Tally(1.0, 1.0).plus(Tally(4.0, 2.0, 1.0, 8.0), 0.25)
    assert found == Tally(2.0, 1.5, 0.25, 2.0)


def test_the_end_of_a_period_clears_the_tally_and_what_is_past():
    full = Buffer({k: numbers(k) for k in range(4)}, dict.fromkeys(range(4), 1.0), Tally(5.0))
    found = full.closed(2)
    assert (list(found.windows), list(found.left), found.tally) == ([2, 3], [2, 3], Tally())
