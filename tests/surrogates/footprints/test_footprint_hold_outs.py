"""Hold-outs: who is learnt from and who is told, and that nothing leaks."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.errors import DataError
from tradewind.surrogates.footprints.hold_outs import blocks, dealt, left_out, runs_left_out
from tradewind.surrogates.footprints.nearest import Nearest
from tradewind.surrogates.footprints.scores import log_r_squared, r_squared


def test_blocks_are_days_of_a_run(make_hours):
    hours = make_hours(48 + 24, run=np.repeat([0, 4], [48, 24]))
    assert np.bincount(blocks(hours)).tolist() == [24, 24, 24]


@pytest.mark.parametrize(
    ("count", "expected"), [(25, [25]), (35, [35]), (36, [24, 12]), (49, [24, 25]), (5, [5])]
)
def test_a_short_rest_belongs_to_the_block_before(make_hours, count, expected):
    assert np.bincount(blocks(make_hours(count))).tolist() == expected


def test_blocks_follow_time_and_not_the_order_in_the_file(make_hours):
    hours = make_hours(48)
    shuffled = np.random.default_rng(0).permutation(48)
    assert np.array_equal(blocks(hours[shuffled]), blocks(hours)[shuffled])


def test_a_gap_is_not_counted_as_hours_that_are_there(make_hours):
    time = np.concatenate([np.arange(24.0), 96 + np.arange(24.0)])
    assert np.bincount(blocks(make_hours(48, time=time))).tolist() == [24, 24]


def test_blocks_are_dealt_whole_and_evenly():
    groups = np.repeat(np.arange(7), 3)
    for seed in (None, 0, 1):
        folds = dealt(groups, 3, seed)
        assert all(len(set(folds[groups == g])) == 1 for g in range(7))
        assert sorted(np.bincount(folds[::3]).tolist()) == [2, 2, 3]


def test_there_are_no_more_folds_than_blocks():
    assert set(dealt(np.array([0, 0, 1]), 5)) == {0, 1}


def test_one_block_cannot_be_held_out():
    with pytest.raises(DataError, match="one block only"):
        dealt(np.zeros(4, dtype=np.int64), 2)


def test_every_hour_is_told_once_and_never_learnt_from_then():
    splits = list(left_out(np.array([0, 1, 0, 2])))
    assert np.sum([held for _, held in splits], axis=0).tolist() == [1, 1, 1, 1]
    assert not any((learnt & held).any() for learnt, held in splits)


def test_runs_learn_from_other_runs_of_their_tracer():
    run = np.array([0, 1, 2, 3])
    tracer = np.array(["inert", "inert", "radon-222", "radon-222"])
    splits = [(learnt.tolist(), held.tolist()) for learnt, held in runs_left_out(run, tracer)]
    assert splits[0] == ([False, True, False, False], [True, False, False, False])
    assert splits[3] == ([False, False, True, False], [False, False, False, True])


def test_a_run_without_another_of_its_tracer_is_passed_over():
    assert not list(runs_left_out(np.array([0, 1]), np.array(["inert", "radon-222"])))


# ------------------------------------------------------------------ scores
def test_the_score_is_pooled_over_hours_and_cells():
    true = np.array([[[1.0, 2.0]], [[3.0, 6.0]]])
    told = true + np.array([[[1.0, 0.0]], [[0.0, -1.0]]])
    # the mean is 3, the squares about it 4 + 1 + 0 + 9
    assert r_squared(told, true) == pytest.approx(1 - 2 / 14)


def test_the_mean_explains_nothing():
    true = np.arange(4.0).reshape(1, 2, 2)
    assert r_squared(np.full_like(true, true.mean()), true) == pytest.approx(0.0)


def test_the_logarithm_sees_factors():
    true = np.array([[[1.0, 0.01]]])
    assert log_r_squared(true, true) == 1.0
    assert log_r_squared(np.array([[[1.0, 0.02]]]), true) < r_squared(np.array([[[1.0, 0.02]]]), true)


def test_scores_refuse_what_cannot_be_compared():
    with pytest.raises(DataError, match="are compared with"):
        r_squared(np.zeros((1, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match="do not vary"):
        r_squared(np.ones((1, 2, 2)), np.ones((1, 2, 2)))
    with pytest.raises(DataError, match="do not vary"):
        r_squared(np.ones((0, 2, 2)), np.ones((0, 2, 2)))


# ------------------------------------------------------------------ copies
def test_the_nearest_hour_is_copied(make_footprints):
    footprints = make_footprints(6)
    told = Nearest(footprints[np.array([0, 5])]).tell(footprints.hours, footprints.window)
    assert np.array_equal(told, footprints.values[[0, 0, 0, 5, 5, 5]])


def test_an_hour_of_the_same_tracer_is_nearer_than_any_other(make_footprints):
    tracer = np.array(["inert", "radon-222", "inert"])
    footprints = make_footprints(3, tracer=tracer)
    told = Nearest(footprints[np.array([0, 1])]).tell(footprints.hours[2:], footprints.window)
    assert np.array_equal(told[0], footprints.values[0])


def test_copies_leak_between_neighbours_and_not_between_blocks(make_footprints):
    footprints = make_footprints(96, 4)

    def score(folds):
        told = np.zeros_like(footprints.values)
        for learnt, held in left_out(folds):
            told[held] = Nearest(footprints[learnt]).tell(footprints.hours[held], footprints.window)
        return r_squared(told, footprints.values)

    assert score(np.arange(96) % 4) > score(blocks(footprints.hours)) + 0.2
