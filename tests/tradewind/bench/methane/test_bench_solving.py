"""Problems of the benchmark of solvers: small pieces of them, by hand."""

from __future__ import annotations

import numpy as np
import torch

from tradewind.bench.methane import large, month
from tradewind.bench.methane.solving import Phases
from tradewind.couplers.operators import dot_test


def test_the_wide_operator_and_its_adjoint_are_one():
    operator = large.around(3)
    assert dot_test(large.Around(operator.plume, operator.cells[::800])) < 1e-13


def test_an_observation_sees_nothing_beyond_its_reach():
    plume = np.ones((41, 41))
    corner = large.Around(plume, np.array([0]))
    (row,) = corner.adjoint(torch.ones(1, 1, dtype=torch.float64)).reshape(1, 100, 100)
    assert row.sum() == 21 * 21
    assert row[21:].abs().sum() == row[:, 21:].abs().sum() == 0


def test_the_month_has_243_tiles_of_half_a_degree():
    places = np.stack(np.meshgrid(np.floor(month.LAT / 0.5), np.floor(month.LON / 0.5)), -1)
    assert len(np.unique(places.reshape(-1, 2), axis=0)) == 243


def test_phases_tell_when_each_went_on():
    phases = Phases()
    advance = phases("linearize", 2)
    advance()
    begin, last = phases.spans["linearize"]
    assert begin <= last
    assert phases.lengths == {"linearize": 2}
