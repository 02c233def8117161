"""Numbers derived by hand beside the checks, and statistics of errors whose size is known."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.assimilation import Posterior
from tradewind.diagnostics import (
    Desroziers,
    Innovations,
    Moments,
    Sample,
    by_stream,
    by_window,
    chi_square,
    cost_per_observation,
    descent,
    diagnose,
    dofs,
    dofs_of_kernel,
    impacts,
    rank_histogram,
    rejected,
    spread_skill,
)


@pytest.fixture
def sample(departures):
    return lambda **given: Sample.of([departures(**given)])


class TestSample:
    def test_windows_lie_one_after_the_other(self, departures):
        parts = [departures(0, y=[1.0, 2.0]), departures(1), departures(2, y=[3.0])]
        found = Sample.of(parts)
        np.testing.assert_array_equal(found.y, [1, 2, 3])
        np.testing.assert_array_equal(found.window, [0, 0, 2])
        assert by_window(found, 3, len) == [2, 0, 1]

    def test_streams_come_in_the_order_of_their_first(self, departures):
        parts = [departures(0, y=[0.0, 0.0], stream=["tower", "satellite"]), departures(1, y=[0.0])]
        assert by_stream(Sample.of(parts), len) == {"tower": 1, "satellite": 1, "observations": 1}

    def test_without_any_window(self):
        assert len(Sample.of([])) == 0
        assert Sample.of([]).streams == ()


class TestInnovations:
    def test_mean_spread_and_size_of_three(self, sample):
        # d_b = 1, 2, 6: mean 3, squares of the distance from it 4, 1, 9; mean square 41 / 3
        found = Innovations.of(sample(y=[1.0, 2.0, 6.0], background=[0.0] * 3, analysis=[1.0, 1.0, 5.0]))
        assert found.before.mean == 3.0
        assert found.before.sd == pytest.approx(np.sqrt(14 / 3))
        assert found.before.rms == pytest.approx(np.sqrt(41 / 3))
        # d_a = 0, 1, 1
        assert found.after.rms == pytest.approx(np.sqrt(2 / 3))
        assert found.reduction == pytest.approx(1 - 2 / 41)

    def test_size_is_of_mean_and_spread(self):
        found = Moments.of(np.random.default_rng(1).normal(3.0, 2.0, 50))
        assert found.rms**2 == pytest.approx(found.mean**2 + found.sd**2)

    def test_what_is_not_known_does_not_count(self, sample):
        found = Innovations.of(sample(y=[1.0, 5.0], background=[0.0, np.nan]))
        assert found.before == Moments(1, 1.0, 0.0, 1.0)
        assert found.after.count == 0
        assert np.isnan(found.reduction)


class TestConsistency:
    def test_chi_square_of_two(self, sample):
        # 4 / (1 + 3) and 9 / (2 + 7): mean 1
        given = {"background_sigma": np.sqrt([1.0, 2.0]), "sigma": np.sqrt([3.0, 7.0])}
        assert chi_square(sample(y=[2.0, 3.0], background=[0.0, 0.0], **given)) == pytest.approx(1.0)

    def test_chi_square_needs_the_spread(self, sample):
        assert np.isnan(chi_square(sample(y=[2.0], background=[0.0], sigma=[1.0])))

    def test_chi_square_is_one_where_errors_are_as_assumed_even_if_correlated(self, sample):
        rng, m = np.random.default_rng(3), 20000
        common = np.repeat(rng.normal(size=m // 2), 2)  # errors of two neighbours are the same
        given = {"background_sigma": np.full(m, 0.8), "sigma": np.full(m, 0.6)}
        found = chi_square(sample(y=0.8 * common + 0.6 * rng.normal(size=m), background=np.zeros(m), **given))
        assert found == pytest.approx(1.0, abs=0.03)

    def test_cost_is_of_both_terms(self):
        cost = {"prior_before": 0.0, "prior_after": 3.0, "observations_after": 9.0}
        assert cost_per_observation(cost, 6) == 2.0
        assert np.isnan(cost_per_observation({"prior_after": 3.0}, 6))
        assert np.isnan(cost_per_observation(cost, 0))

    def test_desroziers_of_two(self, sample):
        # d_b = 4, 2; increments 3, 1; d_a = 1, 1
        found = Desroziers.of(
            sample(y=[4.0, 2.0], background=[0.0, 0.0], analysis=[3.0, 1.0], sigma=[1.0, 1.0],
                   background_sigma=[2.0, 2.0], analysis_sigma=[1.0, np.nan])
        )  # fmt: skip
        assert found.observation == 3.0  # (1 * 4 + 1 * 2) / 2
        assert found.background == 7.0  # (3 * 4 + 1 * 2) / 2
        assert found.analysis == 2.0  # (3 * 1 + 1 * 1) / 2
        assert found.ratios == {"observation": 3.0, "background": 1.75, "analysis": 2.0}

    def test_desroziers_finds_the_errors_of_an_optimal_analysis(self, sample):
        rng, m, b, r = np.random.default_rng(5), 40000, 2.0, 0.5
        truth = np.zeros(m)
        background, y = truth + b * rng.normal(size=m), truth + r * rng.normal(size=m)
        analysis = background + b**2 / (b**2 + r**2) * (y - background)
        found = Desroziers.of(sample(y=y, background=background, analysis=analysis, sigma=np.full(m, r)))
        assert found.observation == pytest.approx(r**2, rel=0.03)
        assert found.background == pytest.approx(b**2, rel=0.03)
        assert found.analysis == pytest.approx(1 / (1 / b**2 + 1 / r**2), rel=0.03)
        assert np.isnan(found.ratios["background"])


class TestEnsembles:
    def test_ranks_are_counted(self, sample):
        found = rank_histogram(sample(rank=[0, 0, 2, 3], members=3))
        np.testing.assert_array_equal(found.counts, [2, 0, 1, 1])
        assert found.outside == 0.75
        assert np.isnan(found.p_value)  # 4 observations: no bin expects five

    def test_flatness_by_hand(self, sample):
        # 20 observations, 2 ranks of 10 expected: (14 - 10)²/10 + (6 - 10)²/10 = 3.2
        found = rank_histogram(sample(rank=[0] * 14 + [1] * 6, members=1))
        assert found.chi_square == pytest.approx(3.2)
        assert found.p_value == pytest.approx(0.0736, abs=1e-4)  # chi-square table, 1 degree of freedom

    def test_neighbours_share_a_bin_where_few_are_expected(self, sample):
        # 10 observations over 4 ranks make two bins: 8 and 2 of 5 each
        found = rank_histogram(sample(rank=[0] * 4 + [1] * 4 + [3] * 2, members=3))
        assert found.chi_square == pytest.approx(3.6)

    def test_an_ensemble_that_is_too_sure_is_found(self, sample):
        rng, m, n = np.random.default_rng(7), 2000, 9
        truth, members = rng.normal(size=m), rng.normal(size=(n, m))
        for scale, flat in ((1.0, True), (0.5, False)):
            rank = (scale * members < truth).sum(0)
            assert (rank_histogram(sample(rank=rank, members=n)).p_value > 0.01) is flat

    def test_windows_with_lost_members_are_left_out(self, departures):
        parts = [departures(0, rank=[0, 1, 2], members=2), departures(1, rank=[1], members=1)]
        found = rank_histogram(Sample.of(parts))
        np.testing.assert_array_equal(found.counts, [1, 1, 1])
        assert found.left_out == 1

    def test_no_members_no_histogram(self, sample):
        assert rank_histogram(sample(y=[1.0])) is None
        assert spread_skill(sample(y=[1.0], background=[0.0])) is None

    def test_spread_and_skill_by_hand(self, sample):
        # expected (1 + 1/2) * 2 + 1 = 4 and (1 + 1/2) * 10 + 1 = 16; skill 2 and 2
        found = spread_skill(
            sample(y=[2.0, -2.0], background=[0.0, 0.0], sigma=[1.0, 1.0],
                   background_sigma=np.sqrt([10.0, 2.0]), members=2),
            bins=2,
        )  # fmt: skip
        np.testing.assert_allclose(found.spread, [2.0, 4.0])
        np.testing.assert_allclose(found.skill, [2.0, 2.0])
        assert found.ratio == pytest.approx(np.sqrt(10.0) / 2.0)

    def test_members_drawn_as_the_truth_have_ratio_one(self, sample):
        rng, m, n = np.random.default_rng(11), 5000, 4
        members, truth = rng.normal(size=(n, m)), rng.normal(size=m)
        found = spread_skill(
            sample(y=truth + 0.5 * rng.normal(size=m), background=members.mean(0),
                   sigma=np.full(m, 0.5), background_sigma=members.std(0, ddof=1), members=n)
        )  # fmt: skip
        assert found.ratio == pytest.approx(1.0, abs=0.03)
        assert found.counts.sum() == m


class TestInformation:
    def test_influence_and_shares(self, sample):
        # sigma_a²/sigma² = 1/4, 1/4 and 1/2: the tower has half of what is known
        found = sample(
            y=[2.0, 2.0, 1.0], background=[0.0] * 3, analysis=[1.0, 1.0, 1.0], sigma=[2.0, 2.0, 1.0],
            analysis_sigma=[1.0, 1.0, np.sqrt(0.5)], stream=["satellite", "satellite", "tower"],
        )  # fmt: skip
        assert dofs(found) == pytest.approx(1.0)
        by = impacts(found)
        assert by["satellite"].share == pytest.approx(0.5)
        assert by["satellite"].each == pytest.approx(0.25)
        assert by["satellite"].reduction == pytest.approx(0.75)  # 4 becomes 1
        assert by["tower"].reduction == 1.0

    def test_influence_is_the_trace_of_the_kernel(self, sample):
        rng = np.random.default_rng(13)
        k, r = rng.normal(size=(5, 3)), rng.uniform(0.5, 2.0, 5)
        prior = np.diag([1.0, 2.0, 0.5])
        posterior = np.linalg.inv(k.T @ np.diag(1 / r**2) @ k + np.linalg.inv(prior))
        spread = np.sqrt(np.diag(k @ posterior @ k.T))
        kernel = np.eye(3) - posterior @ np.linalg.inv(prior)
        assert dofs(sample(analysis_sigma=spread, sigma=r)) == pytest.approx(dofs_of_kernel(kernel))

    def test_without_spread_there_is_none(self, sample):
        assert np.isnan(dofs(sample(y=[1.0], sigma=[1.0])))


class TestRejection:
    def test_reasons_are_counted_and_statistics_leave_them_out(self, departures):
        parts = [
            departures(0, y=[1.0, 50.0], background=[0.0, 0.0], reason=["", "background check"],
                       stream=["tower", "tower"]),
            departures(1, y=[3.0, np.nan, 70.0], background=[0.0] * 3,
                       reason=["", "not finite", "background check"], stream=["tower", "buoy", "tower"]),
        ]  # fmt: skip
        found = diagnose(parts)
        assert found.whole.innovations.before.mean == 2.0
        assert found.rejected == {"tower": {"background check": 2}, "buoy": {"not finite": 1}}
        assert found.rejections == 3
        assert rejected(found.sample) == {"background check": 2, "not finite": 1}
        assert [part.count for part in found.windows] == [1, 1]
        assert list(found.streams) == ["tower"]

    def test_all_rejected_is_no_failure(self, departures):
        found = diagnose([departures(0, y=[1.0], background=[0.0], reason=["background check"])])
        assert found.whole.count == 0
        assert np.isnan(found.whole.chi_square)
        assert found.ranks is None

    def test_no_observations_at_all(self, departures):
        found = diagnose([departures(0)])
        assert found.whole.count == 0
        assert found.rejections == 0


class TestDescent:
    def test_reduction_of_cost(self):
        told = [{"iteration": 0, "prior": 0.0, "observations": 8.0, "gradient": 2.0, "why": "start"},
                {"iteration": 1, "prior": 1.0, "observations": 1.0}]  # fmt: skip
        found = descent(Posterior(None, details={"iterations": told}))
        np.testing.assert_array_equal(found.total, [8.0, 2.0])
        np.testing.assert_array_equal(found.reduction, [0.0, 0.75])
        assert list(found.others) == ["gradient"]
        assert np.isnan(found.others["gradient"][1])

    def test_a_method_without_iterations(self):
        assert descent(Posterior(None)) is None
