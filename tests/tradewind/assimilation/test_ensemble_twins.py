"""Experiments of other systems, through run configs and the whole loop."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.bench.assimilation import online, twin


@pytest.mark.shared
@pytest.mark.parametrize("name", online.FILTERS)
def test_online_cases_of_pdaf(shared, tmp_path, name):
    reference = shared / "reference" / "pdaf" / "pdaf_18x36.nc"
    path = online.write(tmp_path, reference, name)
    assert online.error(reference, name, online.run(path)) < 1e-12


@pytest.mark.shared
@pytest.mark.parametrize("name", twin.CASES)
def test_the_twin_of_dapper_stays_near_the_truth(shared, name):
    # after some cycles the analysis is far better than an observation, whose error is 1
    (score,) = twin.scores(shared / "reference" / "dapper_l96.nc", name, seeds=(1,), cycles=150)
    assert score.rmse < 0.5
    assert 0.1 < score.spread < 0.5
    assert score.cycles == 150


def test_the_taper_reaches_where_dappers_does():
    # loc_rad 4 points of 9 degrees, 3.64 times that
    assert pytest.approx(131.04) == twin.DEGREES
    assert np.isclose(twin.SPREAD**2, 0.001)
