"""Several fields in one x."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PeriodicControl,
    PriorError,
    ScaledField,
)
from tradewind.couplers.assimilation.covariance import dense
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, Joined, Replicated, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError
from tradewind.testing.model import days

LINE = Grid.latlon([0.5], [0.5, 1.5, 2.5], lat_bounds=[0.0, 1.0])
TOWERS = Grid.points([10.0, 20.0], [50.0, 51.0])


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def parts():
    flux = ScaledField("a.flux", tensor(1.0, 2.0, 0.0), Layout(LINE), Clustering(Per.CELL), PriorError(0.5))
    pool = FieldControl(
        "b.pool", tensor([4.0, 5.0], [6.0, 7.0]), Layout(TOWERS), Clustering(Per.CELL), PriorError(2.0), Add()
    )
    rate = FieldControl("b.rate", tensor(3.0)[0], None, Clustering(Per.TOTAL), PriorError(0.1), Lognormal())
    return flux, pool, rate


@pytest.fixture
def joint() -> JointControl:
    return JointControl(parts())


def test_x_is_one_part_after_the_other(joint):
    assert joint.targets == ("a.flux", "b.pool", "b.rate")
    assert joint.prior.tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert joint.names[0] == "a.flux, 0.5N 0.5E"
    assert joint.names[-1] == "b.rate, total"


def test_errors_of_different_fields_are_independent(joint):
    assert dense(joint.covariance).tolist() == torch.diag(tensor(*[0.25] * 2, *[4.0] * 4, 0.1**2)).tolist()
    root, identity = joint.sqrt_covariance(), torch.eye(7, dtype=torch.float64)
    torch.testing.assert_close(root.forward(root.adjoint(identity)), dense(joint.covariance))


def test_each_field_sees_its_own_part(joint):
    fields = joint.to_fields(tensor(2.0, 3.0, 0.0, 1.0, 0.0, -1.0, 0.0))
    assert fields["a.flux"].tolist() == [2.0, 6.0, 0.0]
    assert fields["b.pool"].tolist() == [[4.0, 6.0], [6.0, 6.0]]
    assert fields["b.rate"].item() == 3.0


def test_members_are_a_leading_axis_of_every_field(joint):
    fields = joint.to_fields(joint.prior.expand(5, 7))
    assert [tuple(field.shape) for field in fields.values()] == [(5, 3), (5, 2, 2), (5,)]


def test_the_derivative_ends_in_the_joined_spaces(joint):
    x = joint.prior + 0.1
    operator = joint.linearize(x)
    spaces = [Distributed(Layout(LINE)), Distributed(Layout(TOWERS), (2,)), Replicated(1)]
    assert operator.range == Joined(spaces)
    assert dot_test(operator, batch=(2,)) <= 1e-15
    step = tensor(1.0, -1.0, 2.0, 0.0, 1.0, 3.0, 0.5)
    ahead, behind = (joint.to_fields(x + h * step) for h in (1e-6, -1e-6))
    difference = torch.cat([((ahead[t] - behind[t]) / 2e-6).reshape(-1) for t in joint.targets])
    torch.testing.assert_close(operator.forward(step), difference, rtol=1e-8, atol=1e-8)


def test_a_control_of_one_field_ends_in_its_space():
    flux, *_ = parts()
    assert JointControl([flux]).linearize(flux.prior).range == Distributed(Layout(LINE))


def test_elements_lie_where_their_parts_do(joint):
    lon, lat = joint.places
    assert lon[:6].tolist() == pytest.approx([0.5, 1.5, 10.0, 20.0, 10.0, 20.0])
    assert np.isnan([lon[6], lat[6]]).all()


@pytest.mark.parametrize("as_matrix", [torch.diag, torch.Tensor.clone])
def test_one_sigma_of_every_field(joint, as_matrix):
    variance = tensor(0.04, 0.09, 1.0, 4.0, 9.0, 16.0, 0.01)
    sigma = joint.sigma(joint.prior, as_matrix(variance))
    assert sigma["a.flux"].tolist() == pytest.approx([0.2, 0.6, 0.0])
    assert sigma["b.pool"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert sigma["b.rate"].item() == pytest.approx(0.3)


def test_one_sigma_of_every_prior(joint):
    sigma = joint.prior_sigma()
    assert sigma["a.flux"].tolist() == [0.5, 1.0, 0.0]
    assert sigma["b.pool"].tolist() == [[2.0, 2.0], [2.0, 2.0]]
    assert sigma["b.rate"].item() == pytest.approx(0.3)


def test_only_parts_that_belong_to_periods_depend_on_the_window():
    flux, pool, _ = parts()
    joint = JointControl([PeriodicControl(flux, days(2)), pool])
    x = tensor(1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 9.0)
    first, second = (joint.at(window).to_fields(x) for window in days(2))
    assert first["a.flux"].tolist() == [1.0, 4.0, 0.0]
    assert second["a.flux"].tolist() == [3.0, 8.0, 0.0]
    assert torch.equal(first["b.pool"], second["b.pool"])
    assert joint.averaged.to_fields(x)["a.flux"].tolist() == [2.0, 6.0, 0.0]
    assert dot_test(joint.at(days(2)[1]).linearize(x)) <= 1e-15


def test_without_periods_every_window_sees_the_same_control(joint):
    assert joint.at(days(1)[0]) is joint


def test_two_controls_of_one_field_are_refused():
    flux, *_ = parts()
    with pytest.raises(ConfigError, match=r"a\.flux is controlled twice"):
        JointControl([flux, flux])
    with pytest.raises(ConfigError, match="nothing is controlled"):
        JointControl([])
