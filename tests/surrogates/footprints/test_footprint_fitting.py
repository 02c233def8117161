"""Fits: they find what footprints were made with, and choose without looking at what is held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.errors import DataError
from tradewind.surrogates.footprints.fitting import Ensemble, FitPlan, Lesson, fit, learn
from tradewind.surrogates.footprints.hold_outs import blocks
from tradewind.surrogates.footprints.observations import Footprints
from tradewind.surrogates.footprints.plume import Plume
from tradewind.surrogates.footprints.scores import r_squared
from tradewind.surrogates.footprints.situations import Situations
from tradewind.surrogates.footprints.training import (
    HeldOut,
    fit_count,
    fit_error,
    hold_out,
    period,
    train_footprints,
)

QUICK = FitPlan(firmness=(1e-3,), iterations=12, every=3)


def lesson_of(footprints):
    x = Situations.of(footprints.hours, footprints.window)
    return Lesson(x, torch.as_tensor(footprints.values))


@pytest.fixture(scope="module")
def footprints(make_footprints):
    return make_footprints(72)


def test_a_fit_tells_days_that_it_did_not_see(footprints):
    seen = blocks(footprints.hours) < 2
    told = learn(footprints[seen], QUICK, footprints.hours).tell(
        footprints.hours[~seen], footprints.window, footprints.hours
    )
    assert r_squared(told, footprints.values[~seen]) > 0.97


def test_a_fit_lowers_the_loss_and_a_firm_one_stays_near_its_start(footprints):
    lesson = lesson_of(footprints[np.arange(0, 72, 6)])
    firm, loose = (fit(lesson, Plume(), firmness, 8) for firmness in (100.0, 1e-4))

    def misfit(plume):
        with torch.no_grad():
            return float((plume(lesson.x) - lesson.y).square().sum())

    assert misfit(loose) < 0.5 * misfit(Plume())
    assert firm.strangeness() < 0.1 * loose.strangeness()


def test_a_fit_gives_the_same_bits_again(footprints):
    some = footprints[np.arange(24)]
    first, second = (learn(some, QUICK) for _ in range(2))
    assert all(torch.equal(a.knobs, b.knobs) for a, b in zip(first.plumes, second.plumes, strict=True))


def test_the_firmness_is_chosen_within_what_is_learnt(footprints):
    plan = FitPlan(firmness=(1e4, 1e-3), folds=3, iterations=6, every=6)
    ensemble = learn(footprints, plan)
    # the plume was made with other parameters than the usual, so being held to these is worse
    assert ensemble.firmness == 1e-3
    assert len(ensemble.plumes) == 1 + 3


def test_too_few_blocks_take_the_last_firmness(footprints):
    ensemble = learn(footprints[np.arange(20)], FitPlan(firmness=(0.1, 0.02), iterations=3, every=4))
    assert (ensemble.firmness, len(ensemble.plumes)) == (0.02, 1)


def test_an_ensemble_answers_by_its_mean(footprints):
    x = Situations.of(footprints.hours[:2], footprints.window)
    weak, strong = Plume(), Plume()
    with torch.no_grad():
        strong.knobs[0] += np.log(3.0)
    found = Ensemble([weak, strong], 0.1)(x)
    torch.testing.assert_close(found, 2.0 * weak(x).detach())


def test_footprints_that_are_all_alike_teach_nothing(footprints):
    alike = Footprints(footprints.hours, footprints.window, np.ones_like(footprints.values))
    with pytest.raises(DataError, match="nothing can be learnt"):
        learn(alike, QUICK)


def test_no_footprints_teach_nothing(footprints):
    with pytest.raises(DataError, match="nothing can be learnt"):
        learn(footprints[np.zeros(72, dtype=bool)], FitPlan(firmness=(0.1,)))


def test_what_is_held_out_is_not_learnt_from(footprints):
    spoilt = Footprints(footprints.hours, footprints.window, footprints.values.copy())
    held = blocks(footprints.hours) == 1
    spoilt.values[held] *= 50.0
    splits = [(~held, held)]
    clean, other = (hold_out(f, splits, QUICK).told for f in (footprints, spoilt))
    assert np.array_equal(clean, other)


def test_the_error_model_finds_floor_and_relative_part():
    draw = np.random.default_rng(0)
    told = draw.exponential(1.0, (200, 10, 10))
    sigma = np.sqrt(0.4**2 + (0.5 * told) ** 2)
    model = fit_error(HeldOut(told, told + sigma * draw.standard_normal(told.shape)))
    assert model.floor == pytest.approx(0.4, rel=0.15)
    assert model.relative == pytest.approx(0.5, rel=0.1)


def test_a_training_says_all_about_itself(make_footprints):
    footprints, steps = make_footprints(72, run=np.repeat([0, 1], 36)), []
    plan = FitPlan(firmness=(0.02,), iterations=3, every=6, seed=7)
    emulator = train_footprints(footprints, plan, {"file": "x.nc"}, lambda: steps.append(1))
    header = emulator.header
    # three blocks (24, 12 and again 24 and 12 are four), two runs, and the fit itself
    assert len(steps) == fit_count(footprints) == 4 + 2 + 1
    assert header.scores.keys() == {"r2_blocks", "log_r2_blocks", "r2_runs", "log_r2_runs"}
    assert header.parameters == len(header.knobs) * header.members
    assert (header.tracers, header.seed, header.firmness) == (("inert",), 7, 0.02)
    assert header.training_period == period(footprints) == ("1970-01-01T00:00:00", "1970-01-03T23:00:00")
    assert header.provenance == {"file": "x.nc"}
    assert emulator.valid(Situations.of(footprints.hours, footprints.window)).all()


@pytest.mark.shared
def test_real_footprints_of_another_run_are_told(shared):
    """A day and a half of Weybourne's winter, told by physics that has seen one other winter there."""
    real = Footprints.read(shared / "data" / "name_footprints.nc")
    learnt, held = real[real.hours.run == 3], real[real.hours.run == 2]
    told = learn(learnt, FitPlan(firmness=(0.02,), iterations=15), real.hours).tell(
        held.hours, held.window, real.hours
    )
    assert r_squared(told, held.values) > 0.6
