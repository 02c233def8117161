"""Errors of several fields that go together at one place: Sa of sectors."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.couplers.assimilation.control import (
    Clustering,
    FieldControl,
    JointControl,
    Per,
    PeriodicControl,
    PriorError,
    ScaledField,
)
from tradewind.couplers.assimilation.covariance import Correlation, Kernel, dense
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, DataError

GRID = Grid.latlon([0.5, 1.5], [10.5, 11.5])
TOGETHER = PriorError(0.5, correlation=Correlation(100.0), between=0.3)


def sector(name, error=TOGETHER, prior=(1.0, 2.0, 3.0, 4.0)) -> ScaledField:
    field = torch.tensor(prior, dtype=torch.float64)
    return ScaledField(f"inventory.{name}", field, Layout(GRID), Clustering(Per.CELL), error)


def test_at_one_place_they_have_the_correlation_between_and_elsewhere_that_times_the_kernel():
    whole = dense(JointControl([sector("oil"), sector("gas")]).covariance).numpy()
    alone = dense(sector("oil").covariance).numpy()
    assert np.allclose(whole, np.kron([[1.0, 0.3], [0.3, 1.0]], alone), rtol=1e-15)
    # neighbours along the equator's row: exp(-111.2 km cos(lat) / 100 km) apart
    sine, cosine = np.sin(np.deg2rad(0.5)), np.cos(np.deg2rad(0.5))
    apart = 6371 * np.arccos(sine**2 + cosine**2 * np.cos(np.pi / 180))
    assert np.isclose(whole[0, 5], 0.25 * 0.3 * np.exp(-apart / 100))


def test_each_has_its_own_sigma():
    larger = replace(TOGETHER, sigma=2.0)
    whole = dense(JointControl([sector("oil"), sector("gas", larger)]).covariance)
    assert whole.diagonal().tolist() == pytest.approx([0.25] * 4 + [4.0] * 4)
    assert float(whole[1, 5]) == pytest.approx(0.5 * 2.0 * 0.3)


def test_their_elements_need_not_be_the_same():
    gas = sector("gas", prior=(1.0, 0.0, 3.0, 0.0))
    whole = dense(JointControl([sector("oil"), gas]).covariance)
    assert whole.shape == (6, 6)
    assert float(whole[0, 4]) == float(whole[2, 5]) == pytest.approx(0.25 * 0.3)


def test_those_that_say_nothing_stay_independent():
    plain = sector("coal", PriorError(0.5))
    whole = dense(JointControl([plain, sector("oil"), sector("gas")]).covariance)
    assert not whole[:4, 4:].any()
    assert float(whole[4, 8]) == pytest.approx(0.25 * 0.3)


def test_each_alone_keeps_the_covariance_that_it_has():
    joint = JointControl([sector("oil"), sector("gas")])
    for part, begin in zip(joint.parts, (0, 4), strict=True):
        own = dense(joint.covariance)[begin : begin + 4, begin : begin + 4]
        assert torch.allclose(own, dense(part.covariance), rtol=1e-15)


def test_the_root_is_one_of_the_whole():
    joint = JointControl([sector("oil"), sector("gas")])
    root = joint.sqrt_covariance()
    half = root.forward(torch.eye(8, dtype=torch.float64))
    assert torch.allclose(half.T @ half, dense(joint.covariance), rtol=1e-12, atol=1e-15)


@given(st.integers(2, 5), st.floats(0.001, 0.999), st.floats(1.0, 5000.0))
def test_whatever_lies_in_its_range_makes_a_covariance(count, share, length):
    lowest = -1.0 / (count - 1)
    between = max(lowest + share * (1 - lowest), -0.999)
    error = PriorError(0.5, correlation=Correlation(length), between=between)
    whole = dense(JointControl([sector(f"s{k}", error) for k in range(count)]).covariance)
    assert float(torch.linalg.eigvalsh(whole).min()) > 0


# ---------------------------------------------------------------------- what is refused
def test_one_alone_has_nothing_to_go_together_with():
    with pytest.raises(ConfigError, match=r"inventory.oil has nothing to go together with"):
        JointControl([sector("oil"), sector("gas", PriorError(0.5))])


def test_those_with_another_kernel_are_not_meant():
    other = replace(TOGETHER, correlation=Correlation(200.0))
    with pytest.raises(ConfigError, match="nothing to go together with"):
        JointControl([sector("oil"), sector("gas", other)])


def test_those_that_do_not_stand_next_to_each_other_are_refused():
    plain = sector("coal", PriorError(0.5))
    with pytest.raises(ConfigError, match="next to each other"):
        JointControl([sector("oil"), plain, sector("gas")])


def test_three_cannot_all_go_against_each_other():
    error = replace(TOGETHER, between=-0.5)
    with pytest.raises(ConfigError, match=r"3 fields cannot all have the correlation -0.5.*above -0.5"):
        JointControl([sector(name, error) for name in ("oil", "gas", "coal")])


@pytest.mark.parametrize("between", [1.0, -1.0, 2.0, float("nan")])
def test_a_correlation_is_between_minus_one_and_one(between):
    with pytest.raises(ConfigError, match="the correlation between fields"):
        PriorError(0.5, 100.0, between=between)


def test_a_correlation_between_needs_one_in_space():
    with pytest.raises(ConfigError, match="beside a length"):
        PriorError(0.5, between=0.3)


def test_periods_cannot_take_part():
    day = timedelta(days=1)
    begin = datetime(2000, 1, 1)
    periods = [Interval(begin + k * day, begin + (k + 1) * day) for k in range(2)]
    parts = [PeriodicControl(sector(name), periods) for name in ("oil", "gas")]
    with pytest.raises(ConfigError, match=r"inventory.oil: fields with periods"):
        JointControl(parts)


def test_levels_cannot_take_part():
    field = torch.ones(2, 4, dtype=torch.float64)
    parts = [FieldControl(f"a.{n}", field, Layout(GRID), Clustering(Per.CELL), TOGETHER) for n in "bc"]
    with pytest.raises(ConfigError, match="periods, levels or diffusion"):
        JointControl(parts)


def test_a_kernel_that_makes_no_covariance_is_named_with_the_fields():
    smooth = PriorError(0.5, correlation=Correlation(1e5, Kernel.GAUSSIAN), between=0.3)
    with pytest.raises(DataError, match="no covariance"):
        JointControl([sector("oil", smooth), sector("gas", smooth)])
