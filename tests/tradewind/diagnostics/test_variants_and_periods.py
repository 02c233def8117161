"""What methods tell of other hyper-parameters and of periods, read as arrays."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
import torch

from tradewind.couplers.assimilation import Posterior
from tradewind.diagnostics import effects, rolling, variants
from tradewind.errors import SpecError

MEAN = torch.ones(2, dtype=torch.float64)
DAY = datetime(2020, 1, 1)


def told(prior_error, gamma, dofs, kept=True, mean=MEAN):
    return {
        "prior_error": prior_error, "observation_error": None, "gamma": gamma, "boundary_error": None,
        "prior_cost_per_element": 1.0, "dofs": dofs, "kept": kept, "mean": mean,
    }  # fmt: skip


def posterior(**details):
    return Posterior(MEAN, details=details)


class TestVariants:
    def test_are_none_where_a_method_tells_none(self):
        assert variants(posterior()) is None
        assert variants(posterior(ensemble=[])) is None

    def test_name_the_hyper_parameters_that_are_told(self):
        found = variants(posterior(ensemble=[told(0.5, 1.0, 2.0), told(1.0, 1.0, 3.0, kept=False)]))
        assert list(found.parameters) == ["prior_error", "gamma"]
        assert found.dofs.tolist() == [2.0, 3.0]
        assert found.kept.tolist() == [True, False]
        assert found.means.shape == (2, 2)

    def test_of_another_length_are_refused_by_number(self):
        wrong = told(1.0, 1.0, 2.0, mean=torch.ones(3))
        with pytest.raises(SpecError, match=r"\(3,\) for 2 elements") as error:
            variants(posterior(ensemble=[told(0.5, 1.0, 2.0), wrong]))
        assert error.value.where == "details['ensemble'][1]"


class TestEffects:
    def test_are_means_over_the_kept_that_have_the_value(self):
        members = [
            told(0.5, 1.0, 2.0),
            told(0.5, 2.0, 4.0),
            told(1.0, 1.0, 7.0),
            told(1.0, 2.0, 9.0, kept=False),
        ]
        found = variants(posterior(ensemble=members))
        rows = {
            (e.parameter, e.value): (e.count, e.values["dofs"]) for e in effects(found, {"dofs": found.dofs})
        }
        assert rows == {
            ("prior_error", 0.5): (2, 3.0),
            ("prior_error", 1.0): (1, 7.0),
            ("gamma", 1.0): (2, 4.5),
            ("gamma", 2.0): (1, 4.0),
        }

    def test_of_all_where_none_is_kept(self):
        members = [told(0.5, 1.0, 2.0, kept=False), told(1.0, 1.0, 4.0, kept=False)]
        found = variants(posterior(ensemble=members))
        assert [e.values["dofs"] for e in effects(found, {"dofs": found.dofs})] == [2.0, 4.0]

    def test_a_parameter_of_one_value_has_none(self):
        found = variants(posterior(ensemble=[told(0.5, 1.0, 2.0), told(0.5, 2.0, 2.0)]))
        assert {e.parameter for e in effects(found, {})} == {"gamma"}

    def test_a_value_that_no_kept_one_has_is_not_known(self):
        found = variants(posterior(ensemble=[told(0.5, 1.0, 2.0), told(1.0, 1.0, 4.0, kept=False)]))
        last = list(effects(found, {"dofs": found.dofs}))[-1]
        assert (last.value, last.count) == (1.0, 0)
        assert np.isnan(last.values["dofs"])


class TestRolling:
    def period(self, k, **changes):
        start = DAY + timedelta(days=k)
        return {"start": start, "stop": start + timedelta(days=1), "prior": MEAN, "mean": (1 + k) * MEAN,
                "sigma": 0.5 * MEAN, "dofs": 1.5} | changes  # fmt: skip

    def test_is_none_where_a_method_tells_none(self):
        assert rolling(posterior()) is None

    def test_has_one_row_for_each_period(self):
        found = rolling(posterior(periods=[self.period(0), self.period(1)]))
        assert found.mean.tolist() == [[1.0, 1.0], [2.0, 2.0]]
        assert found.intervals[1].start == DAY + timedelta(days=1)
        assert found.dofs.tolist() == [1.5, 1.5]

    def test_of_another_length_is_refused(self):
        with pytest.raises(SpecError, match=r"sigma of shape \(3,\) for 2 elements"):
            rolling(posterior(periods=[self.period(0, sigma=torch.ones(3))]))
