"""Operators of a window: counted, guarded and shadowed."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
import torch

from tradewind.couplers.assimilation.linearization import (
    Count,
    CountedOperator,
    GuardedOperator,
    Moments,
    ShadowedOperator,
    Uncertain,
    spans,
    squared,
)
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import MatrixOperator, dot_test

# the surrogate is twice the reference
R = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 4.0]], dtype=torch.float64)
REFERENCE, SURROGATE = MatrixOperator(R), MatrixOperator(2 * R)
VALID = torch.tensor([True, False, True])


class Refusing(MatrixOperator):
    """An operator that must not be asked."""

    def forward(self, x):
        raise AssertionError("asked for a tangent")

    def adjoint(self, y):
        raise AssertionError("asked for a gradient")


class Doubtful(MatrixOperator):
    """An operator that knows its error: as large as its input."""

    def variance(self, x):
        return x.square()


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# ---------------------------------------------------------------------- guarded
def test_columns_outside_the_domain_are_the_references():
    guarded = GuardedOperator(SURROGATE, REFERENCE, VALID)
    matrix = guarded.forward(torch.eye(3, dtype=torch.float64)).T
    assert matrix.tolist() == [[2.0, 2.0, 6.0], [0.0, 1.0, 8.0]]


def test_its_adjoint_is_exact():
    assert dot_test(GuardedOperator(SURROGATE, REFERENCE, VALID), batch=(4,)) <= 1e-15


def test_the_reference_rests_where_nothing_is_asked_of_it():
    guarded = GuardedOperator(SURROGATE, Refusing(R), VALID)
    assert guarded.forward(vector(1, 0, 1)).tolist() == [8.0, 8.0]
    with pytest.raises(AssertionError, match="asked for a tangent"):
        guarded.forward(vector(0, 1, 0))


def test_with_everything_valid_the_reference_is_never_asked():
    guarded = GuardedOperator(SURROGATE, Refusing(R), torch.ones(3, dtype=torch.bool))
    assert guarded.adjoint(vector(1, 0)).tolist() == [2.0, 4.0, 6.0]


def test_every_rank_enters_the_reference_when_one_must():
    class Other:
        """Another rank, which needs the reference whatever this one needs."""

        def allgather(self, item):
            return [item, not item] if item is False else [item, item]

    guarded = GuardedOperator(SURROGATE, Refusing(R), VALID, Other())
    with pytest.raises(AssertionError, match="asked for a tangent"):
        guarded.forward(vector(1, 0, 1))


def test_only_the_surrogates_columns_are_uncertain():
    guarded = GuardedOperator(Doubtful(2 * R), REFERENCE, VALID)
    assert guarded.variance(vector(2, 3, 4)).tolist() == [4.0, 0.0, 16.0]


def test_a_surrogate_that_does_not_know_its_error_has_none():
    assert GuardedOperator(SURROGATE, REFERENCE, VALID).variance(vector(1, 1, 1)) is None
    assert isinstance(Doubtful(R), Uncertain)
    assert not isinstance(SURROGATE, Uncertain)


# ---------------------------------------------------------------------- shadowed
def test_the_reference_answers_and_the_shadow_is_compared():
    count = Count()
    shadowed = ShadowedOperator(REFERENCE, SURROGATE, count)
    assert torch.equal(shadowed.forward(vector(1, 1, 1)), vector(6, 5))
    assert torch.equal(shadowed.adjoint(vector(1, 1)), vector(1, 3, 7))
    # R x = (6, 5), S x - R x the same
    assert count.notes == {"reference": 61.0, "difference": 61.0}
    shadowed.forward(vector(1, 0, 0))
    assert count.notes == {"reference": 62.0, "difference": 62.0}


def test_a_shadow_brings_no_error_of_its_own():
    assert not isinstance(ShadowedOperator(REFERENCE, Doubtful(R), Count()), Uncertain)


# ---------------------------------------------------------------------- counted
def test_applications_and_columns_are_counted():
    count = Count()
    counted = CountedOperator(REFERENCE, count)
    assert torch.equal(counted.forward(vector(1, 1, 1)), vector(6, 5))
    counted.adjoint(torch.zeros(4, 5, 2, dtype=torch.float64))
    assert (count.calls, count.columns) == (2, 21)
    assert count.seconds > 0
    assert counted.domain == REFERENCE.domain
    assert counted.range == REFERENCE.range


def test_shares_of_a_window():
    start = datetime(2000, 1, 1)
    edges = [start + timedelta(hours=h) for h in (0, 1, 4)]
    parts = tuple(Interval(a, b) for a, b in pairwise(edges))
    assert spans(Interval(edges[0], edges[-1]), parts) == (0.25, 0.75)


# ---------------------------------------------------------------------- errors of what is uncertain
def test_moments_by_hand():
    # E[x xᵀ] = (1, 0, 2)(1, 0, 2)ᵀ + (0, 3, 1)(0, 3, 1)ᵀ
    x = Moments(vector(1, 0, 2), vector(0, 3, 1)[None])
    assert x.of(torch.tensor([0, 1, 2])).tolist() == [[1.0, 0.0, 2.0], [0.0, 9.0, 3.0], [2.0, 3.0, 5.0]]
    assert x.of(torch.tensor([2, 0])).tolist() == [[5.0, 2.0], [2.0, 1.0]]


def test_what_is_always_zero_is_not_touched():
    assert Moments(vector(1, 0, 0), vector(0, 0, 3)[None]).touched().tolist() == [True, False, True]


def test_moments_of_some_cells_only():
    x = Moments(vector(1, 2, 3), vector(4, 5, 6)[None]).only(VALID)
    assert x.mean.tolist() == [1.0, 0.0, 3.0]
    assert x.spread.tolist() == [[4.0, 0.0, 6.0]]


def test_variances_go_through_the_squares_of_an_operator():
    # rows (1, 2, 3) and (0, 1, 4) of variances 1, 10, 100
    assert squared(REFERENCE, vector(1, 10, 100)).tolist() == [941.0, 1610.0]


def test_a_guarded_surrogate_without_correlations_has_none():
    guarded = GuardedOperator(SURROGATE, REFERENCE, VALID)
    assert guarded.covariance(Moments(vector(1, 1, 1), vector(0, 0, 0)[None]), REFERENCE) is None
    assert not guarded.anchored


def test_a_guarded_correction_concerns_valid_columns():
    # (R - 2 R) (1, 0, 3)
    found = GuardedOperator(SURROGATE, REFERENCE, VALID).correction(vector(1, 2, 3))
    assert found.tolist() == [-10.0, -12.0]
