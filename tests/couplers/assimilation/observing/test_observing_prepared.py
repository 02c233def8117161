"""Preparations of any operator's observations, and what is shared among windows."""

from __future__ import annotations

import pytest
import torch

from tradewind.couplers.assimilation import FunctionLook
from tradewind.couplers.assimilation.covariance import Correlation, DenseCovariance, Kernel, dense
from tradewind.couplers.assimilation.observing import (
    Boxes,
    Errors,
    Joining,
    PreparedOperator,
    Present,
    Thinning,
)
from tradewind.couplers.assimilation.places import EARTH_RADIUS_KM, Distance
from tradewind.couplers.operators import dot_test
from tradewind.errors import DataError

BOXES = Boxes(2.0, Distance.DEGREES)
FIELD = torch.tensor([1.0, 2.0, 4.0]).double()


@pytest.fixture
def three(seen, fixed):
    """Return an operator of three observations, the first two in one box."""
    return fixed("air.gas", seen([0.5, 1.5, 3.0], [1.0] * 3, [10.0, 20.0, 40.0]), [0, 1, 2])


def test_observations_looks_and_offset_are_rewritten_alike(three, windows):
    operator = PreparedOperator(three, [Joining(BOXES)])
    first = windows[0]
    assert operator.windows(windows)[first].y.tolist() == [15.0, 40.0]
    (look,) = operator.looks(first).values()
    assert look(FIELD).tolist() == [1.5, 4.0]
    assert dot_test(look.linearize(FIELD)) <= 1e-14
    assert operator.offset(first).tolist() == [0.5, 2.0]
    assert operator.observes == ("air.gas",)
    assert operator.notes == ["something", "6 observations averaged to 4"]


def test_one_after_the_other(three, windows):
    operator = PreparedOperator(three, [Thinning(BOXES), Joining(Boxes(10.0, Distance.DEGREES))])
    # 0.5 and 1.5 are equally far from 1: the western one; then the mean of 10 and 40
    assert operator.windows(windows)[windows[0]].y.tolist() == [25.0]
    (look,) = operator.looks(windows[0]).values()
    assert look(FIELD).tolist() == [2.5]


def test_what_repeats_is_rewritten_once(three, windows):
    operator = PreparedOperator(three, [Thinning(BOXES)])
    seen = operator.windows(windows)
    one, other = (next(iter(operator.looks(w).values())) for w in windows)
    assert one is other
    places = [seen[w].coordinates["longitude"] for w in windows]
    assert places[0] is places[1]


def test_a_look_that_is_no_matrix_is_rewritten_too(three, windows):
    space = three.look.operator.domain
    three.look = FunctionLook(lambda field: field**2, space, 3)
    (look,) = PreparedOperator(three, [Joining(BOXES)]).looks(windows[0]).values()
    assert look(FIELD).tolist() == [2.5, 16.0]
    assert look(torch.stack([FIELD, 2 * FIELD])).tolist() == [[2.5, 16.0], [10.0, 64.0]]
    assert look.linearize(FIELD).adjoint(torch.ones(2).double()).tolist() == [1.0, 2.0, 8.0]
    assert dot_test(look.linearize(FIELD)) <= 1e-14


def test_missing_values_are_left_out_and_counted(seen, fixed, windows):
    gaps = fixed("air.gas", seen([0.0, 1.0], [0.0] * 2, [float("nan"), 3.0]), [0, 1])
    operator = PreparedOperator(gaps, [Present()])
    assert operator.windows(windows)[windows[0]].y.tolist() == [3.0]
    (look,) = operator.looks(windows[0]).values()
    assert look(FIELD).tolist() == [2.0]
    assert operator.notes[-1] == "2 of 4 observations dropped: missing value"


# ---------------------------------------------------------------------- errors
def of(errors, observations, window):
    return dense(errors(observations, window).observations.covariance)


def test_inflation_is_a_factor_on_standard_deviations(seen, windows):
    some = seen([0.0, 1.0], [0.0] * 2, [0.0] * 2, sigma=[1.0, 2.0])
    assert of(Errors(1.5), some, windows[0]).diagonal().tolist() == [2.25, 9.0]


def test_inflation_keeps_what_errors_know_of_each_other(seen, windows):
    from dataclasses import replace

    matrix = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()
    some = replace(seen([0.0, 1.0], [0.0] * 2, [0.0] * 2), covariance=DenseCovariance(matrix))
    assert torch.equal(of(Errors(2.0), some, windows[0]), 4 * matrix)


def test_errors_go_together_by_distance_and_time(seen, windows):
    from datetime import timedelta

    degree = EARTH_RADIUS_KM * torch.pi / 180.0
    some = seen([0.0, 1.0, 0.0], [0.0] * 3, [0.0] * 3, hours=[0, 0, 6], sigma=[1.0, 2.0, 3.0])
    found = of(Errors(1.0, Correlation(degree), timedelta(hours=6)), some, windows[0])
    e = torch.exp(torch.tensor(-1.0).double())
    assert found[0, 1] == pytest.approx(float(2 * e))
    assert found[0, 2] == pytest.approx(float(3 * e))
    assert found[1, 2] == pytest.approx(float(6 * e * e))


def test_errors_at_other_times_and_heights_are_apart_unless_told(seen, windows):
    some = seen([0.0] * 3, [0.0] * 3, [0.0] * 3, hours=[0, 0, 6], vertical=torch.tensor([1.0, 2, 1]).numpy())
    found = of(Errors(1.0, Correlation(100.0)), some, windows[0])
    assert torch.equal(found, torch.eye(3).double())


def test_errors_of_one_place_and_time_cannot_go_together(seen, windows):
    some = seen([0.0, 0.0], [0.0] * 2, [0.0] * 2)
    with pytest.raises(
        DataError, match=r"a gaussian kernel of 100 km is no covariance of 2 errors .*superobs"
    ):
        Errors(1.0, Correlation(100.0, Kernel.GAUSSIAN))(some, windows[0])


def test_a_window_without_observations_has_no_errors(seen, windows):
    assert Errors(2.0)(seen([], [], []), windows[0]).observations.covariance is None
