"""Every member of every analysis that PDAF stores with its tutorial and its tests."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest
import torch

from tradewind.bench.assimilation import pdaf
from tradewind.plugins.filters.local.letkf import LETKF
from tradewind.plugins.filters.options import ETKFOptions, LETKFOptions
from tradewind.plugins.filters.transform.etkf import ETKF

pytestmark = pytest.mark.shared
BAR = 1e-12
ONLINE = [f"tests_online/{f}_step{s}" for f in ("ETKF", "LETKF", "ESTKF", "LESTKF") for s in ("09", "18")]
CASES = [
    "tutorial_offline/ESTKF",
    "tutorial_offline/LESTKF_cradius0",
    "tests_offline_obsB/ESTKF",
    "tests_offline_obsB/LESTKF",
    *ONLINE,
]


def apart(a, b) -> float:
    return float((a - b).abs().max())


def test_every_stored_analysis_is_among_the_cases(pdaf_cases):
    assert list(pdaf_cases) == sorted(CASES, key=list(pdaf_cases).index)


@pytest.mark.parametrize("name", CASES)
def test_members_are_those_of_pdaf(pdaf_cases, name):
    case = pdaf_cases[name]
    found = case.filter.analyse(case.ensemble, case.observations)
    assert apart(found.fields["state"], case.expected.fields["state"]) < BAR
    assert apart(found.simulated, case.expected.simulated) < BAR


@pytest.mark.parametrize("name", CASES)
def test_the_mean_is_that_of_pdaf(pdaf_cases, shared, name):
    case = pdaf_cases[name]
    mean = case.filter.analyse(case.ensemble, case.observations).fields["state"].mean(0)
    with netCDF4.Dataset(shared / "reference" / "pdaf" / "pdaf_18x36.nc") as data:
        assert np.abs(mean.numpy() - pdaf.mean_of(data, name)).max() < BAR


@pytest.mark.parametrize("group", ["tutorial_offline", "tests_offline_obsB"])
def test_the_etkf_has_the_members_of_the_estkf(pdaf_cases, group):
    case = pdaf_cases[f"{group}/ESTKF"]
    same = ETKF(ETKFOptions(inflation=case.filter.options.inflation))
    found = same.analyse(case.ensemble, case.observations).fields["state"]
    assert apart(found, case.expected.fields["state"]) < BAR


def test_the_letkf_has_the_members_of_the_lestkf_wherever_something_is_in_reach(pdaf_cases):
    case = pdaf_cases["tests_offline_obsB/LESTKF"]
    options = case.filter.options.model_dump()
    found = LETKF(LETKFOptions(**options)).analyse(case.ensemble, case.observations).fields["state"]
    expected, forecast = case.expected.fields["state"], case.ensemble.fields["state"]
    untouched = (expected == forecast).all(0)
    assert int(untouched.sum()) == 15  # domains_without_obs of the file
    assert apart(found[:, ~untouched], expected[:, ~untouched]) < BAR
    # elsewhere, forget 0.8 multiplies the spread by its root
    widened = forecast.mean(0) + (forecast - forecast.mean(0)) / 0.8**0.5
    assert apart(found[:, untouched], widened[:, untouched]) < BAR


def test_a_radius_of_zero_sees_what_lies_at_the_point_itself(pdaf_cases):
    case = pdaf_cases["tutorial_offline/LESTKF_cradius0"]
    found = case.filter.analyse(case.ensemble, case.observations).fields["state"]
    moved = (found != case.ensemble.fields["state"]).any(0)
    assert int(moved.sum()) == len(case.observations) == 28
    assert torch.equal(found[:, ~moved], case.ensemble.fields["state"][:, ~moved])
