"""Losses, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tradewind.surrogates.losses import (
    Divergence,
    MeanAbsolute,
    MeanSquare,
    RelativeL2,
    Weighted,
    with_remainder,
)

ALL = [RelativeL2(), MeanSquare(), MeanAbsolute(), Divergence()]


def maps(*cells):
    """Return one map per argument, holding its values in the first cells."""
    out = torch.zeros(len(cells), 2, 2)
    for k, values in enumerate(cells):
        out[k].view(-1)[: len(values)] = torch.tensor(values)
    return out


def test_relative_l2_is_the_mean_of_relative_distances():
    """|(0, 1) - (1, 0)| / |(1, 0)| = sqrt 2, and 0 for the exact one: mean sqrt 2 / 2."""
    loss = RelativeL2()(maps([0.0, 1.0], [0.5]), maps([1.0, 0.0], [0.5]))
    assert float(loss) == pytest.approx(math.sqrt(2) / 2, rel=1e-5)


def test_relative_l2_counts_weak_and_strong_plumes_the_same():
    strong = RelativeL2()(maps([0.8]), maps([0.4]))
    weak = RelativeL2()(maps([0.02]), maps([0.01]))
    assert float(strong) == pytest.approx(float(weak), rel=1e-3)


def test_mean_square_sums_over_cells():
    assert float(MeanSquare()(maps([3.0, 4.0], [0.0]), maps([0.0], [0.0]))) == pytest.approx(12.5)


def test_mean_absolute_is_the_misplaced_mass():
    assert float(MeanAbsolute()(maps([0.7, 0.3]), maps([0.5, 0.5]))) == pytest.approx(0.4)


def test_the_remainder_is_what_left_the_window():
    torch.testing.assert_close(with_remainder(maps([0.25, 0.5])), torch.tensor([[0.25, 0.5, 0, 0, 0.25]]))


def test_divergence_is_that_of_kullback_and_leibler():
    """Truth (1/2, 1/2), prediction (1/4, 3/4): 0.5 ln 2 + 0.5 ln (2/3)."""
    expected = 0.5 * math.log(2.0) + 0.5 * math.log(2.0 / 3.0)
    assert float(Divergence()(maps([0.25, 0.75]), maps([0.5, 0.5]))) == pytest.approx(expected, abs=1e-5)


def test_divergence_sees_mass_that_wrongly_stays():
    """Half of it left the window; a prediction that keeps everything pays for it."""
    assert float(Divergence()(maps([1.0]), maps([0.5]))) > 1.0


def test_divergence_of_a_negative_prediction_is_finite():
    assert math.isfinite(float(Divergence()(maps([-0.2, 1.0]), maps([0.5, 0.5]))))


def test_a_weighted_sum_adds_up():
    p, t = maps([0.7, 0.3]), maps([0.5, 0.5])
    both = Weighted(((2.0, MeanAbsolute()), (0.5, MeanSquare())))(p, t)
    assert float(both) == pytest.approx(2.0 * 0.4 + 0.5 * 0.08)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_a_perfect_answer_costs_nothing(loss):
    t = maps([0.2, 0.3, 0.1])
    assert float(loss(t, t)) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_gradients_are_finite_also_at_the_perfect_answer(loss):
    t = maps([0.2, 0.3])
    p = t.clone().requires_grad_()
    loss(p, t).backward()
    assert bool(p.grad.isfinite().all())


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_a_window_that_everything_left_gives_a_finite_loss(loss):
    assert math.isfinite(float(loss(maps([0.1]), maps([0.0]))))
