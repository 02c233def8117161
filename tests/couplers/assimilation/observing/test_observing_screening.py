"""The background check."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.observing import Limit, PreparedOperator, Screening, Selection, screen

NAN = float("nan")


def simulated(*rows):
    return torch.tensor(rows).double()


def test_too_far_is_beyond_k_sigmas_of_the_departure(seen):
    # sigma 3 and a background error of 4: the departure's is 5, twice that is 10
    some = seen([0.0] * 3, [0.0] * 3, [9.9, 10.1, -10.1], sigma=3.0)
    found = screen(some, torch.zeros(3).double(), Limit(2.0, 4.0))
    assert found.reasons.tolist() == ["", "background check", "background check"]
    assert found.used.tolist() == [True, False, False]
    assert found.notes == ["2 of 3 observations rejected: background check"]


def test_the_spread_of_members_counts_unless_an_error_is_told(seen):
    # members 0 and 2 sqrt(2): mean sqrt(2), variance 4; with sigma 0 + ... 1: sqrt(5)
    some = seen([0.0] * 2, [0.0] * 2, [2**0.5 + 2.2, 2**0.5 + 2.3])
    members = simulated([0.0, 0.0], [8**0.5, 8**0.5])
    assert screen(some, members, Limit(1.0)).used.tolist() == [True, False]
    assert screen(some, members, Limit(1.0, 0.1)).used.tolist() == [False, False]


def test_one_state_has_no_spread(seen):
    some = seen([0.0] * 2, [0.0] * 2, [1.9, 2.1])
    assert screen(some, simulated([0.0, 0.0]), Limit(2.0)).used.tolist() == [True, False]


def test_what_is_missing_is_never_used(seen):
    some = seen([0.0] * 3, [0.0] * 3, [NAN, 0.0, 0.0])
    found = screen(some, simulated([0.0, NAN, 0.0]), Limit(2.0))
    assert found.reasons.tolist() == ["missing value", "not simulated", ""]


def test_streams_have_limits_of_their_own(seen):
    some = seen([0.0] * 3, [0.0] * 3, [5.0, 5.0, 5.0], stream=np.array(["a", "b", "c"]))
    found = screen(some, torch.zeros(3).double(), {"a": Limit(1.0), "b": None, "c": Limit(10.0)})
    assert found.used.tolist() == [False, True, True]


def test_rejected_ones_are_taken_out_of_their_window_alone(seen, fixed, windows):
    operator = fixed("air.gas", seen([0.0, 1.0], [0.0] * 2, [1.0, 2.0]), [0, 1])
    screening = Screening(np.array(["background check", ""]))
    chosen = PreparedOperator(operator, [Selection({windows[0]: screening})])
    found = chosen.windows(windows)
    assert [found[w].y.tolist() for w in windows] == [[2.0], [1.0, 2.0]]
    (look,) = chosen.looks(windows[0]).values()
    assert look(torch.tensor([5.0, 6.0, 7.0]).double()).tolist() == [6.0]
    assert chosen.offset(windows[0]).tolist() == [1.0]


def test_all_may_be_rejected(seen, fixed, windows):
    operator = fixed("air.gas", seen([0.0], [0.0], [1.0]), [0])
    chosen = PreparedOperator(operator, [Selection({w: Screening(np.array(["far"])) for w in windows})])
    assert len(chosen.windows(windows)[windows[0]]) == 0
    (look,) = chosen.looks(windows[0]).values()
    assert look(torch.ones(4, 3).double()).shape == (4, 0)
    assert chosen.offset(windows[0]).shape == (0,)


@pytest.mark.parametrize("members", [1, 3])
def test_no_observations_are_no_trouble(seen, members):
    assert screen(seen([], [], []), torch.zeros(members, 0).double(), Limit(1.0)).reasons.shape == (0,)
