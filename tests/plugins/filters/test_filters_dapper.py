"""Single analyses of Lorenz-96 by DAPPER, member by member."""

from __future__ import annotations

import pytest

from tradewind.bench.assimilation.dapper_analyses import localization
from tradewind.plugins.filters.local.letkf import LETKF
from tradewind.plugins.filters.options import LETKFOptions

pytestmark = pytest.mark.shared
BAR = 1e-12
MEMBERS = ["analysis_LETKF_N7_loc4", "analysis_LETKF_N24_loc6",
           "analysis_global_N24/Sqrt", "analysis_global_N24/DEnKF"]  # fmt: skip


def apart(a, b) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("name", MEMBERS)
def test_members_are_those_of_dapper(dapper_cases, name):
    case = dapper_cases[name]
    found = case.filter.analyse(case.ensemble, case.observations)
    assert apart(found.fields["x"], case.expected.fields["x"]) < BAR


def test_the_mean_of_serial_is_that_of_dapper_whatever_the_order(dapper_cases):
    case = dapper_cases["analysis_global_N24/Serial"]
    found = case.filter.analyse(case.ensemble, case.observations).fields["x"]
    expected = case.expected.fields["x"]
    assert apart(found.mean(0), expected.mean(0)) < BAR
    assert apart(found.T.cov(), expected.T.cov()) < BAR  # and the covariance, though members differ
    assert apart(found, expected) > 1e-4


def test_batches_matter(dapper_cases):
    case = dapper_cases["analysis_LETKF_N7_loc4"]
    alone = LETKFOptions.model_validate({**localization(4.0), "points_per_analysis": 1})
    found = LETKF(alone).analyse(case.ensemble, case.observations).fields["x"]
    assert 1e-3 < apart(found, case.expected.fields["x"]) < 0.1
