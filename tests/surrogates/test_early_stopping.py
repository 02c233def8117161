"""When training stops."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.surrogates.early_stopping import EarlyStopping


def feed(patience, scores):
    stopping = EarlyStopping(patience)
    for k, score in enumerate(scores):
        stopping.improved(score)
        if stopping.exhausted:
            return stopping, k
    return stopping, None


def test_it_stops_after_as_many_epochs_without_gain_as_it_has_patience():
    stopping, at = feed(2, [3.0, 2.0, 2.5, 2.0, 1.0])
    assert (stopping.best_epoch, stopping.best, at) == (1, 2.0, 3)


def test_a_gain_in_the_last_moment_renews_the_patience():
    assert feed(2, [3.0, 3.1, 2.9, 3.0, 2.8, 2.9])[1] is None


def test_an_equal_score_is_no_gain():
    stopping = EarlyStopping(5)
    assert [stopping.improved(s) for s in (1.0, 1.0)] == [True, False]


def test_nan_is_never_the_best():
    stopping = EarlyStopping(5)
    assert not stopping.improved(math.nan)
    assert stopping.improved(4.0)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(1, 5))
def test_the_best_is_the_first_minimum_of_what_was_seen(scores, patience):
    stopping, at = feed(patience, scores)
    seen = scores if at is None else scores[: at + 1]
    assert stopping.best == min(seen)
    assert stopping.best_epoch == seen.index(min(seen))


def test_patience_of_one_stops_at_the_first_epoch_without_gain():
    assert feed(1, [1.0, 2.0])[1] == pytest.approx(1)
