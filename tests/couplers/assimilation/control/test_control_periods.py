"""Elements of their own for every period."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.control import (
    Clustering,
    FieldControl,
    Lognormal,
    Per,
    PeriodicControl,
    PriorError,
)
from tradewind.couplers.assimilation.covariance import dense
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError, SpecError
from tradewind.testing.model import days

LINE = Grid.latlon([0.5], [0.5, 1.5, 2.5], lat_bounds=[0.0, 1.0])
TARGET = "a.flux"


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def base(change=None) -> FieldControl:
    field = tensor(1.0, 2.0, 0.0)
    return FieldControl(TARGET, field, Layout(LINE), Clustering(Per.CELL), PriorError(0.5, 200.0), change)


X = tensor(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def test_element_by_element_within_period_by_period():
    found = PeriodicControl(base(), days(3))
    assert found.prior.tolist() == [1.0] * 6
    assert found.names[3] == "2000-01-02 00:00, 0.5N 1.5E"
    assert found.places[0].tolist() == [0.5, 1.5] * 3
    assert [found.at(day).to_fields(X)[TARGET].tolist() for day in days(3)] == [
        [1.0, 4.0, 0.0],
        [3.0, 8.0, 0.0],
        [5.0, 12.0, 0.0],
    ]


def test_errors_in_time_and_space_multiply():
    found = PeriodicControl(base(), days(3), memory=timedelta(days=2))
    apart = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    expected = np.kron(np.exp(-apart / 2.0), dense(base().covariance).numpy())
    assert dense(found.covariance).numpy() == pytest.approx(expected, rel=1e-12)


def test_without_memory_periods_are_independent():
    found = dense(PeriodicControl(base(), days(2)).covariance)
    one = dense(base().covariance)
    assert torch.equal(found, torch.block_diag(one, one))


def test_periods_of_different_lengths_are_apart_by_their_middles():
    first, second, third = days(3)
    periods = [first, Interval(second.start, third.stop)]  # middles at 0.5 and 2 days
    found = PeriodicControl(base(), periods, memory=timedelta(days=1.5))
    assert dense(found.covariance)[0, 2].item() == pytest.approx(0.25 * np.exp(-1.0))


def test_a_window_within_a_period_sees_it():
    found = PeriodicControl(base(), days(2))
    day = days(2)[1]
    noon = day.start + timedelta(hours=12)
    assert found.at(Interval(noon, day.stop)).to_fields(X[:4])[TARGET].tolist() == [3.0, 8.0, 0.0]
    seen = found.at(Interval(day.start, noon))
    assert seen.at(days(2)[0]).to_fields(X[:4])[TARGET].tolist() == [1.0, 4.0, 0.0]


def test_a_window_across_an_edge_is_refused():
    first, second = days(2)
    with pytest.raises(ConfigError, match=r"goes on behind 2000-01-02.*whole number of windows"):
        PeriodicControl(base(), days(2)).at(Interval(first.start, second.stop))


def test_a_window_in_no_period_is_refused():
    with pytest.raises(ConfigError, match="lies in no period"):
        PeriodicControl(base(), days(2)).at(days(3)[2])


def test_x_of_several_periods_stands_for_no_single_field():
    found = PeriodicControl(base(), days(2))
    for ask in (found.to_fields, found.linearize, lambda x: found.sigma(x, x)):
        with pytest.raises(SpecError, match=r"no single field .*at\(window\)"):
            ask(found.prior)


@pytest.mark.parametrize("change", [None, Lognormal()])
def test_the_derivative_of_a_period_is_that_of_its_part(change):
    found, x = PeriodicControl(base(change), days(3)), X / 4
    operator = found.at(days(3)[1]).linearize(x)
    assert dot_test(operator, batch=(2,)) <= 1e-15
    columns = operator.forward(torch.eye(6, dtype=torch.float64))
    assert torch.equal(columns[2:4], found.base.linearize(x[2:4]).forward(torch.eye(2, dtype=torch.float64)))
    assert not columns[[0, 1, 4, 5]].any()


def test_the_average_weighs_periods_by_their_lengths():
    first, second, third = days(3)
    found = PeriodicControl(base(Lognormal()), [first, Interval(second.start, third.stop)])
    x = tensor(0.0, 0.0, 0.6, -0.3)
    mean = found.averaged.to_fields(x)[TARGET]
    assert mean.tolist() == pytest.approx([(1 + 2 * np.exp(0.6)) / 3, 2 * (1 + 2 * np.exp(-0.3)) / 3, 0.0])
    operator = found.averaged.linearize(x)
    assert dot_test(operator) <= 1e-15
    expected = torch.autograd.functional.jacobian(lambda at: found.averaged.to_fields(at)[TARGET], x)
    torch.testing.assert_close(operator.forward(torch.eye(4, dtype=torch.float64)).T, expected)


def test_one_sigma_of_the_average_knows_the_correlations_between_periods():
    found = PeriodicControl(base(), days(2))
    matrix = torch.zeros(4, 4, dtype=torch.float64)
    matrix[0, 0], matrix[2, 2], matrix[0, 2], matrix[2, 0] = 4.0, 9.0, 3.0, 3.0
    # cell 0: x0/2 + x2/2, variance (4 + 9 + 2 * 3) / 4
    sigma = found.averaged.sigma(found.prior, matrix)[TARGET]
    assert sigma.tolist() == pytest.approx([np.sqrt(19.0) / 2, 0.0, 0.0])
    # as J S Jᵀ
    J = found.averaged.linearize(found.prior).forward(torch.eye(4, dtype=torch.float64)).T
    assert sigma.square().tolist() == pytest.approx((J @ matrix @ J.T).diagonal().tolist())
    alone = found.at(days(2)[1]).sigma(found.prior, matrix.diagonal())[TARGET]
    assert alone.tolist() == [3.0, 0.0, 0.0]


def test_one_sigma_of_the_prior_knows_how_long_errors_last():
    found = PeriodicControl(base(), days(2), memory=timedelta(days=1))
    # 0.25 (1 + 1 + 2/e) / 4 for a prior of 1
    expected = 0.5 * np.sqrt((2 + 2 / np.e) / 4)
    assert found.averaged.prior_sigma()[TARGET].tolist() == pytest.approx([expected, 2 * expected, 0.0])
    assert found.at(days(2)[0]).prior_sigma()[TARGET].tolist() == pytest.approx([0.5, 1.0, 0.0])
    in_full = found.averaged.sigma(found.prior, dense(found.covariance))
    torch.testing.assert_close(found.averaged.prior_sigma(), in_full)


def test_there_are_periods_and_memory_is_positive():
    with pytest.raises(ConfigError, match="no periods"):
        PeriodicControl(base(), [])
    with pytest.raises(ConfigError, match="it is positive"):
        PeriodicControl(base(), days(2), timedelta(0))
