"""Smoothers and filters beside the Kalman filter, and the Kalman filter beside a hand-derived case."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tradewind.bench.assimilation.equivalences import LinearGaussian, apart
from tradewind.bench.assimilation.recursion import (
    SAMPLED_MEAN,
    SAMPLED_SIGMA,
    Moving,
    errors,
    kalman,
    kalman_errors,
    moving,
    sampled_errors,
    solved,
)
from tradewind.couplers.assimilation import Observations
from tradewind.couplers.assimilation.covariance import DiagonalCovariance
from tradewind.plugins.solvers.analytical import Analytical
from tradewind.plugins.solvers.smoothers.esmda import ESMDA
from tradewind.plugins.solvers.smoothers.options import Draws, ESMDAOptions
from tradewind.testing import LinearModel, VectorControl
from tradewind.testing.model import days


def test_exact_methods_are_the_kalman_filter_to_1e_10():
    found = kalman_errors()
    assert set(found) == {
        f"kalman_{name}" for name in ("analytical", "4dvar", "es_mda", "ies", "etkf", "estkf")
    }
    assert max(found.values()) < 1e-10


def test_drawn_members_are_off_by_their_sampling_error():
    found = sampled_errors()
    assert 0 < found["es_mda_sampled_mean"] < SAMPLED_MEAN
    assert 0 < found["es_mda_sampled_sigma"] < SAMPLED_SIGMA


def test_every_difference_has_a_name():
    assert {"analytical", "forms", "kalman_es_mda"} <= set(errors())


def ones(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_kalman_filter_by_hand():
    # x ~ N(0, 1) doubles: N(0, 4); y = 5, R = 1: gain 4/5, mean 4, variance 4/5
    (window,) = days(1)
    model = LinearModel({window: 2 * ones([1.0])}, {window: ones(0.0)}, {window: ones(0.25)})
    control = VectorControl(ones(0.0), DiagonalCovariance(ones(1.0)))
    seen = {window: Observations(ones(5.0), DiagonalCovariance(ones(0.75)))}
    case = Moving(2 * ones([1.0]), {window: ones([1.0])}, LinearGaussian(model, control, seen))
    assert [float(v) for v in kalman(case)] == pytest.approx([4.0, 0.8], rel=1e-14)
    assert [float(v) for v in solved(case, Analytical())] == pytest.approx([4.0, 0.8], rel=1e-14)


def test_a_smoother_that_is_told_other_errors_is_seen():
    case = moving()
    first = case.problem.model.windows[0]
    model = replace(case.problem.model)
    model.errors = {**case.problem.model.errors, first: 1.01 * case.problem.model.errors[first]}
    other = replace(case, problem=replace(case.problem, model=model))
    esmda = ESMDA(ESMDAOptions(members=40, draws=Draws.EXACT))
    assert apart(solved(other, esmda), kalman(case)) > 1e-5
