"""Totals by sector and region: numbers by hand, W S Wᵀ, and ranges over what is kept."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tradewind.budget import EARTH_RADIUS
from tradewind.couplers.assimilation import Posterior
from tradewind.couplers.assimilation.control import (
    Add,
    Clustering,
    FieldControl,
    JointControl,
    Lognormal,
    Per,
    PriorError,
)
from tradewind.couplers.coupling.fields import Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.findings.aggregates import ALL, aggregates
from tradewind.findings.controlled import controlled_fields

GRID = Grid.latlon([0.0], [0.0, 10.0, 20.0], lat_bounds=[-5.0, 5.0])
YEAR = 1e-9 * float(GRID.area[0]) * EARTH_RADIUS**2 * 365.25 * 86400 / 1e9
"""Of 1e-9 kg m-2 s-1 in one cell, Tg a year."""
VARIABLES = {
    "land.oil": Variable("oil", "kg m-2 s-1", GRID),
    "land.gas": Variable("gas", "kg m-2 s-1", GRID),
    "air.amount": Variable("amount", "1e-9", GRID),
    "air.side": Variable("side", "1e-9"),
}
DAY = datetime(2020, 1, 1)


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def sector(port="land.oil", values=(1e-9, 2e-9, 3e-9), change=None, sigma=0.5):
    return FieldControl(port, vector(*values), Layout(GRID), Clustering(Per.CELL), PriorError(sigma), change)


def both():
    return JointControl([sector(), sector("land.gas", (4e-9, 0.0, 0.0))])


def west(grid):
    return {"west": grid.lon < 15.0}


def nowhere(grid):
    return {}


def totals(control, posterior, masks=nowhere):
    return aggregates(control, posterior, VARIABLES.__getitem__, masks)


class TestOneSector:
    def test_everywhere_is_the_total_of_the_field(self):
        covariance = torch.diag(vector(0.04, 0.09, 0.16)) + 0.01
        posterior = Posterior(vector(1.5, 0.5, 2.0), covariance)
        found = totals(sector(), posterior)
        (field,) = controlled_fields(sector(), posterior, VARIABLES.__getitem__, frozenset({"land.oil"}))
        assert (found.sectors, found.regions, found.units) == (("land.oil",), (ALL,), "Tg yr-1")
        assert float(found.posterior[0]) == pytest.approx(field.totals.posterior, rel=1e-14)
        assert float(found.posterior_sigma[0]) == pytest.approx(field.totals.posterior_sigma, rel=1e-14)
        assert float(found.prior_sigma[0]) == pytest.approx(field.totals.prior_sigma, rel=1e-14)

    def test_a_region_counts_its_cells_alone(self):
        found = totals(sector(), Posterior(vector(1.5, 0.5, 2.0)), west)
        # 1 + 2, then 1.5 * 1 + 0.5 * 2
        assert found.prior.tolist() == pytest.approx([6 * YEAR, 3 * YEAR])
        assert found.posterior.tolist() == pytest.approx([8.5 * YEAR, 2.5 * YEAR])

    def test_errors_of_a_region_and_the_whole_know_of_each_other(self):
        found = totals(sector(), Posterior(vector(1.0, 1.0, 1.0), torch.eye(3).double()), west)
        # W = [[1, 2, 3], [1, 2, 0]] and S = I
        expected = YEAR**2 * np.array([[14.0, 5.0], [5.0, 5.0]])
        np.testing.assert_allclose(found.posterior_covariance, expected, rtol=1e-12)
        np.testing.assert_allclose(found.prior_covariance, 0.25 * expected, rtol=1e-12)
        assert float(found.correlation[0, 1]) == pytest.approx(5 / math.sqrt(70))

    def test_a_lognormal_factor_is_linearised_where_it_stands(self):
        found = totals(
            sector(change=Lognormal()), Posterior(vector(math.log(2.0), 0.0, 0.0), torch.eye(3).double())
        )
        # slopes: p exp(x) = 2, 2, 3
        assert float(found.posterior[0]) == pytest.approx(7 * YEAR)
        assert float(found.posterior_sigma[0]) == pytest.approx(math.sqrt(17) * YEAR)

    def test_members_stand_in_for_a_covariance(self):
        members = vector(1.0, 1.0, 1.0, 3.0, 1.0, 1.0).reshape(2, 3)
        found = totals(sector(), Posterior(vector(2.0, 1.0, 1.0), members=members), west)
        # totals 6 and 8, and 3 and 5: variance 2 and all in common
        np.testing.assert_allclose(found.posterior_covariance, np.full((2, 2), 2 * YEAR**2), rtol=1e-12)

    def test_without_either_the_error_is_not_known(self):
        found = totals(sector(), Posterior(vector(1.0, 1.0, 1.0)))
        assert found.posterior_covariance is None
        assert found.correlation is None
        assert math.isnan(float(found.posterior_sigma[0]))


class TestSeveralSectors:
    def test_all_of_them_come_first(self):
        found = totals(both(), Posterior(vector(1.0, 1.0, 2.0, 0.5)), west)
        assert found.names == ("all", "west", "land.oil", "land.oil, west", "land.gas", "land.gas, west")
        assert found.prior.tolist() == pytest.approx([v * YEAR for v in (10, 7, 6, 3, 4, 4)])
        assert found.posterior.tolist() == pytest.approx([v * YEAR for v in (11, 5, 9, 3, 2, 2)])

    def test_what_cannot_be_told_apart_cancels_in_the_sum(self):
        # the first cell's sectors, 1 and 4, with factors that move against each other: 1 * 4 - 4 * 1 = 0
        direction = vector(4.0, 0.0, 0.0, -1.0)
        found = totals(both(), Posterior(vector(1.0, 1.0, 1.0, 1.0), torch.outer(direction, direction)))
        assert float(found.posterior_sigma[0]) == pytest.approx(0.0, abs=1e-12)
        assert found.posterior_sigma[1:].tolist() == pytest.approx([4 * YEAR, 4 * YEAR])
        assert float(found.correlation[1, 2]) == pytest.approx(-1.0)
        assert float(found.correlation[0, 1]) == 0.0

    def test_what_is_no_mass_flux_is_left_out(self):
        side = FieldControl("air.side", vector(0.0)[0], None, Clustering(Per.TOTAL), PriorError(5.0), Add())
        found = totals(
            JointControl([sector(), side]), Posterior(vector(1.0, 1.0, 1.0, 3.0), torch.eye(4).double())
        )
        assert found.sectors == ("land.oil",)
        assert float(found.posterior_sigma[0]) == pytest.approx(math.sqrt(14) * YEAR)

    def test_without_any_mass_flux_there_are_none(self):
        control = sector("air.amount", change=Add())
        assert totals(control, Posterior(control.prior)) is None

    @given(st.lists(st.floats(-2, 2), min_size=16, max_size=16))
    def test_the_covariance_is_that_of_the_parts(self, numbers):
        root = torch.tensor(numbers, dtype=torch.float64).reshape(4, 4)
        found = totals(both(), Posterior(vector(1.0, 1.0, 1.0, 1.0), root @ root.T), west)
        matrix = found.posterior_covariance.numpy() / YEAR**2
        np.testing.assert_allclose(matrix[0, 0], matrix[2:5:2, 2:5:2].sum(), atol=1e-9)
        assert np.linalg.eigvalsh(matrix).min() > -1e-9 * max(np.abs(matrix).max(), 1.0)


def variant(mean, kept, **told):
    return {"mean": mean, "kept": kept, "prior_cost_per_element": 1.0, "dofs": 2.0} | told


class TestEnsembles:
    def test_the_range_is_that_of_the_kept(self):
        members = [
            variant(vector(1.0, 1.0, 1.0), True),
            variant(vector(2.0, 1.0, 1.0), True),
            variant(vector(9.0, 9.0, 9.0), False),
        ]
        found = totals(sector(), Posterior(vector(1.0, 1.0, 1.0), details={"ensemble": members}), west)
        least, greatest = found.range
        assert least.tolist() == pytest.approx([6 * YEAR, 3 * YEAR])
        assert greatest.tolist() == pytest.approx([7 * YEAR, 4 * YEAR])
        assert found.variants[2].tolist() == pytest.approx([54 * YEAR, 27 * YEAR])

    def test_where_none_is_kept_there_is_no_range(self):
        members = [variant(vector(1.0, 1.0, 1.0), False)]
        found = totals(sector(), Posterior(vector(1.0, 1.0, 1.0), details={"ensemble": members}))
        assert found.range is None

    def test_periods_have_totals_of_their_own(self):
        period = {
            "start": DAY, "stop": DAY + timedelta(days=7), "prior": vector(1.0, 1.0, 1.0),
            "mean": vector(2.0, 1.0, 1.0), "sigma": vector(0.3, 0.0, 0.4), "dofs": 1.0,
        }  # fmt: skip
        found = totals(sector(), Posterior(vector(2.0, 1.0, 1.0), details={"periods": [period]}))
        assert float(found.periods.prior[0, 0]) == pytest.approx(6 * YEAR)
        assert float(found.periods.posterior[0, 0]) == pytest.approx(7 * YEAR)
        # sqrt(0.3² + 1.2²)
        assert float(found.periods.sigma[0, 0]) == pytest.approx(math.sqrt(1.53) * YEAR)


class TestDegreesOfFreedomOnTheMap:
    def test_their_sum_is_the_trace(self):
        labels = np.array([0, 0, 1])
        clustering = Clustering(Per.REGION, regions=labels)
        control = FieldControl(
            "land.oil", vector(1e-9, 1e-9, 1e-9), Layout(GRID), clustering, PriorError(0.5)
        )
        kernel = torch.diag(vector(0.8, 0.3))
        posterior = Posterior(vector(1.0, 1.0), kernel, kernel)
        (field,) = controlled_fields(control, posterior, VARIABLES.__getitem__, frozenset())
        assert field.dofs.tolist() == pytest.approx([0.4, 0.4, 0.3])

    def test_a_cell_without_element_has_none(self):
        control = sector(values=(1e-9, 0.0, 3e-9))
        kernel = torch.diag(vector(0.8, 0.3))
        posterior = Posterior(vector(1.0, 1.0), kernel, kernel)
        (field,) = controlled_fields(control, posterior, VARIABLES.__getitem__, frozenset())
        assert field.dofs.tolist() == pytest.approx([0.8, 0.0, 0.3])
