"""Held-out scores, against values worked out by hand."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import DataError
from tradewind.surrogates.held_out import fit_error_model, held_out_scores
from tradewind.surrogates.networks.base import WindowNetwork


class Says(WindowNetwork):
    """Answers with maps given beforehand."""

    name = "says"

    def __init__(self, maps):
        super().__init__()
        self.maps = maps

    def forward(self, x, latitude):
        return self.maps[torch.arange(x.shape[0]).clamp_max(len(self.maps) - 1)]


def test_a_perfect_network_scores_perfectly(draw):
    samples = draw(3)
    scores = held_out_scores(Says(samples.target), samples)
    none = dict.fromkeys(("rmse", "relative_l2", "misplaced", "mass_bias", "mass_error"), 0.0)
    assert scores == pytest.approx({**none, "correlation": 1.0}, abs=1e-6)


def test_one_wrong_cell_is_scored_by_hand(draw):
    """0.1 too much in one cell of one window: rmse 0.1 / 41, misplaced and bias 0.1."""
    samples = draw(1)
    wrong = samples.target.clone()
    wrong[0, 3, 3] += 0.1
    scores = held_out_scores(Says(wrong), samples)
    assert scores["rmse"] == pytest.approx(0.1 / 41, rel=1e-5)
    assert scores["misplaced"] == pytest.approx(0.1, rel=1e-5)
    assert scores["mass_bias"] == pytest.approx(0.1, rel=1e-5)


def test_lost_mass_is_a_negative_bias(draw):
    samples = draw(2)
    scores = held_out_scores(Says(0.5 * samples.target), samples)
    assert scores["mass_bias"] == pytest.approx(-0.4, rel=1e-4)
    assert scores["relative_l2"] == pytest.approx(0.5, rel=1e-4)
    assert scores["correlation"] == pytest.approx(1.0)


def test_errors_of_mass_do_not_cancel_as_its_bias_does(draw):
    """A tenth too much in one window and a tenth too little in the other."""
    samples = draw(2)
    wrong = samples.target.clone()
    wrong[0, 3, 3] += 0.1
    wrong[1, 3, 3] -= 0.1
    scores = held_out_scores(Says(wrong), samples)
    assert scores["mass_bias"] == pytest.approx(0.0, abs=1e-6)
    assert scores["mass_error"] == pytest.approx(0.1, rel=1e-5)


def test_an_empty_set_is_refused(draw):
    samples = draw(2)
    with pytest.raises(DataError, match="held-out set is empty"):
        held_out_scores(Says(samples.target), samples.select(torch.tensor([], dtype=torch.long)))


def test_errors_proportional_to_the_answer_are_found_as_such(draw):
    samples = draw(2)
    errors = fit_error_model(Says(samples.target / 1.25), samples)
    assert errors.relative == pytest.approx(0.25, rel=1e-3)
    assert errors.floor == pytest.approx(0.0, abs=1e-4)


def test_errors_of_one_size_everywhere_are_found_as_such(draw):
    samples = draw(2)
    errors = fit_error_model(Says(samples.target + 0.01), samples)
    assert errors.floor == pytest.approx(0.01, rel=1e-3)
    assert errors.relative == pytest.approx(0.0, abs=1e-3)


def test_errors_that_shrink_with_the_answer_do_not_give_a_negative_variance(draw):
    samples = draw(2)
    flat = torch.full_like(samples.target, 0.01)
    flat = torch.where(samples.target > 0.005, samples.target, flat)
    errors = fit_error_model(Says(flat), samples)
    assert errors.floor >= 0
    assert errors.relative >= 0
