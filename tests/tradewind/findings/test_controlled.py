"""The fields that a posterior stands for: numbers by hand, whatever the method leaves out."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import e, isnan

import numpy as np
import pytest
import torch

from tradewind.budget import EARTH_RADIUS
from tradewind.couplers.assimilation import Posterior
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PeriodicControl,
    PriorError,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import ConfigError
from tradewind.findings.controlled import controlled_fields, units_of_elements
from tradewind.testing.model import VectorControl

GRID = Grid.latlon([0.0], [0.0, 10.0, 20.0], lat_bounds=[-5.0, 5.0])
AREA = float(GRID.area[0]) * EARTH_RADIUS**2
PER_CELL = Clustering(Per.CELL)
VARIABLES = {
    "land.flux": Variable("flux", "kg m-2 s-1", GRID),
    "land.factor": Variable("factor", "1", GRID),
    "air.amount": Variable("amount", "kg", GRID, extra=(("level", 2),)),
    "air.rate": Variable("rate", "s-1"),
}
PARAMETERS = frozenset({"land.flux", "land.factor", "air.rate"})


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def scaled(port="land.flux", values=(1e-9, 0.0, 3e-9)):
    """Return factors on two of three cells, each with a sigma of a half."""
    return FieldControl(port, vector(*values), Layout(GRID), PER_CELL, PriorError(0.5))


def added():
    """Return what is added to two levels of three cells, 1 2 3 and 4 5 6, with a sigma of 2."""
    prior = torch.arange(1.0, 7.0, dtype=torch.float64).reshape(2, 3)
    return FieldControl("air.amount", prior, Layout(GRID), PER_CELL, PriorError(2.0), Add())


def number():
    return FieldControl("air.rate", vector(0.5)[0], None, Clustering(Per.TOTAL), PriorError(0.1), Lognormal())


def fields(control, posterior):
    return tuple(controlled_fields(control, posterior, VARIABLES.__getitem__, PARAMETERS))


def test_factors_on_a_flux_have_fields_errors_and_a_total_in_teragrams():
    covariance = torch.tensor([[0.04, 0.01], [0.01, 0.09]], dtype=torch.float64)
    kernel = torch.tensor([[0.84, 0.0], [0.0, 0.64]], dtype=torch.float64)
    (field,) = fields(scaled(), Posterior(vector(1.5, 0.5), covariance, kernel))
    assert (field.port, field.units, field.grid) == ("land.flux", "kg m-2 s-1", GRID)
    assert field.prior.tolist() == [1e-9, 0.0, 3e-9]
    assert field.posterior.tolist() == pytest.approx([1.5e-9, 0.0, 1.5e-9])
    assert field.prior_sigma.tolist() == pytest.approx([0.5e-9, 0.0, 1.5e-9])
    assert field.sigma.tolist() == pytest.approx([0.2e-9, 0.0, 0.9e-9])
    assert field.element.tolist() == [0, -1, 1]
    assert np.array_equal(field.sensitivity.numpy(), [0.84, np.nan, 0.64], equal_nan=True)
    year = 1e-9 * AREA * 365.25 * 86400 / 1e9
    totals = field.totals
    assert totals.units == "Tg yr-1"
    assert (totals.prior, totals.posterior) == pytest.approx((4 * year, 3 * year))
    # sqrt(1 + 9) / 2; variances 0.04 + 2 * 3 * 0.01 + 9 * 0.09
    assert totals.prior_sigma == pytest.approx(10**0.5 / 2 * year)
    assert totals.posterior_sigma == pytest.approx(0.91**0.5 * year)


def test_what_a_method_does_not_give_is_left_out():
    (field,) = fields(scaled(), Posterior(vector(1.5, 0.5)))
    assert field.posterior.tolist() == pytest.approx([1.5e-9, 0.0, 1.5e-9])
    assert (field.sigma, field.sensitivity) == (None, None)
    assert isnan(field.totals.posterior_sigma)
    assert field.totals.prior_sigma > 0


def test_members_give_errors_where_there_is_no_covariance():
    members = torch.tensor([[1.0, 0.2], [2.0, 0.8]], dtype=torch.float64)
    (field,) = fields(scaled("land.factor"), Posterior(vector(1.5, 0.5), members=members))
    # of two: the difference over the square root of two
    assert field.sigma.tolist() == pytest.approx([1e-9 / 2**0.5, 0.0, 1.8e-9 / 2**0.5])
    assert field.totals.units == "m2"
    assert field.totals.posterior_sigma == pytest.approx(2.8e-9 * AREA / 2**0.5)
    (field,) = fields(scaled(), Posterior(vector(1.5, 0.5), members=members[:1]))
    assert field.sigma is None


def test_several_fields_take_their_parts_of_x_in_turn():
    control = JointControl([scaled(), added(), number()])
    mean = torch.cat([vector(1.0, 2.0), torch.full((6,), 10.0).double(), vector(1.0)])
    covariance = torch.diag(torch.arange(1.0, 10.0, dtype=torch.float64))
    flux, amount, rate = fields(control, Posterior(mean, covariance, 0.1 * covariance))
    assert flux.posterior.tolist() == [1e-9, 0.0, 6e-9]
    assert amount.posterior.tolist() == [[11.0, 12.0, 13.0], [14.0, 15.0, 16.0]]
    assert amount.element.tolist() == [[2, 3, 4], [5, 6, 7]]
    assert amount.sigma.square().flatten().tolist() == pytest.approx([3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    assert amount.prior_sigma.flatten().tolist() == [2.0] * 6
    assert float(rate.posterior) == pytest.approx(0.5 * e)
    # linearised: p exp(x) sigma, and sigma is 3
    assert float(rate.sigma) == pytest.approx(1.5 * e)
    assert [f.shape for f in (rate.prior, rate.sigma, rate.element, rate.sensitivity)] == [()] * 4
    assert int(rate.element) == 8
    assert (amount.totals, rate.totals, rate.grid) == (None, None, None)
    assert flux.totals is not None


def test_of_periods_the_mean_over_them_is_told():
    start = datetime(2000, 1, 1)
    first, last = start + timedelta(days=1), start + timedelta(days=4)
    control = PeriodicControl(scaled(), [Interval(start, first), Interval(first, last)])
    kernel = torch.diag(vector(0.2, 0.4, 0.6, 0.8))
    (field,) = fields(control, Posterior(vector(1.0, 2.0, 5.0, 6.0), 0.04 * torch.eye(4).double(), kernel))
    # a quarter of the first day's, three quarters of the other days'
    assert field.posterior.tolist() == pytest.approx([4e-9, 0.0, 15e-9])
    assert field.prior.tolist() == pytest.approx([1e-9, 0.0, 3e-9])
    spread = 0.2 * (1 / 16 + 9 / 16) ** 0.5
    assert field.sigma.tolist() == pytest.approx([1e-9 * spread, 0.0, 3e-9 * spread])
    assert field.element.tolist() == [0, -1, 1]
    assert field.sensitivity[[0, 2]].tolist() == pytest.approx([0.4, 0.6])
    assert field.totals.posterior == pytest.approx(19e-9 * AREA * 365.25 * 86400 / 1e9)


@pytest.mark.parametrize(
    ("parts", "units"), [((scaled, number), "1"), ((added,), "kg"), ((added, number), "")]
)
def test_elements_have_the_units_of_what_they_add_to(parts, units):
    control = JointControl([part() for part in parts])
    assert units_of_elements(control, VARIABLES.__getitem__) == units


def test_a_control_of_another_kind_is_refused():
    control = VectorControl(vector(1.0), scaled().covariance)
    with pytest.raises(ConfigError, match="outputs of a VectorControl are not known"):
        fields(control, Posterior(vector(1.0)))
