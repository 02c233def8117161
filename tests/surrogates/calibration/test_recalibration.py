"""Fractions put right on average."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tradewind.errors import DataError
from tradewind.surrogates.calibration import fit_recalibration, recalibrate, reliability
from tradewind.surrogates.checkpoint import Recalibration

DOUBLE = Recalibration(knots=(0.0, 0.1, 0.2), values=(0.0, 0.2, 0.25))


def alone(value: float) -> torch.Tensor:
    """Return a map with one cell that is not zero."""
    f = torch.zeros(1, 41, 41, dtype=torch.float64)
    f[0, 20, 20] = value
    return f


@pytest.fixture
def skewed():
    """Return maps of ten cells between 1e-4 and 0.1 each, and a reference of half that on average."""
    generator = torch.Generator().manual_seed(1)
    p = torch.zeros(600, 41, 41, dtype=torch.float64)
    p[:, 20, :10] = 10.0 ** (-4.0 + 3.0 * torch.rand(600, 10, generator=generator, dtype=torch.float64))
    return p, p * torch.rand(p.shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(
    ("f", "expected"),
    [(0.0, 0.0), (0.05, 0.1), (0.1, 0.2), (0.15, 0.225), (0.2, 0.25), (0.4, 0.5)],
    ids=["nothing", "below", "at a knot", "between", "at the last", "beyond: its ratio"],
)
def test_by_hand(f, expected):
    assert float(recalibrate(alone(f), DOUBLE).sum()) == pytest.approx(expected)


def test_a_map_never_holds_more_than_was_emitted():
    full = torch.full((1, 41, 41), 1.0 / 41**2, dtype=torch.float64)
    assert float(recalibrate(full, DOUBLE).sum()) == pytest.approx(1.0)


def test_single_precision_stays_single():
    assert recalibrate(alone(0.1).float(), DOUBLE).dtype == torch.float32


def test_the_mean_of_the_reference_is_found(skewed):
    g = fit_recalibration(*skewed)
    found = recalibrate(alone(0.01), g)
    assert float(found.sum()) == pytest.approx(0.005, rel=0.05)


def test_what_is_fitted_is_monotone_and_begins_at_nothing(skewed):
    p, _ = skewed
    # the reference falls where the emulator rises: nothing monotone does better than a constant
    g = fit_recalibration(p, (0.1 - p).clamp(min=0.0) * (p > 0))
    assert g.values[0] == 0.0
    assert list(g.values) == sorted(g.values)
    assert len(set(g.values[1:])) < len(g.values) - 1


def test_afterwards_it_is_reliable(skewed):
    p, t = skewed
    before, after = reliability(p, t), reliability(recalibrate(p, fit_recalibration(p, t)), t)
    assert before[1] == pytest.approx(1.0, rel=0.05)  # half of all mass too much: as much as there is
    assert after[1] < 0.05
    assert after[0] == pytest.approx(1.0, abs=0.02)


def test_a_reference_that_is_steeper_has_a_slope_above_one():
    p = torch.logspace(-4, -1, 20 * 41 * 41, dtype=torch.float64)
    assert reliability(p, p.square())[0] == pytest.approx(2.0, abs=0.05)


def test_too_few_cells_are_refused():
    with pytest.raises(DataError, match="too few to recalibrate"):
        fit_recalibration(torch.rand(10), torch.rand(10))


def test_too_few_cells_say_nothing_of_reliability():
    with pytest.raises(DataError, match="too few held-out cells"):
        reliability(torch.rand(10), torch.rand(10))


@pytest.mark.parametrize(
    ("knots", "values"),
    [((0.0,), (0.0,)), ((0.0, 0.1), (0.0,)), ((0.1, 0.2), (0.0, 0.1)), ((0.0, 0.2, 0.1), (0.0, 0.1, 0.2)),
     ((0.0, 0.1, 0.2), (0.0, 0.2, 0.1)), ((0.0, 0.0), (0.0, 0.1))],
    ids=["too short", "lengths", "start", "knots fall", "values fall", "one knot twice"],
)  # fmt: skip
def test_a_map_that_is_none_is_refused(knots, values):
    with pytest.raises(ValidationError):
        Recalibration(knots=knots, values=values)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=8))
def test_order_is_kept(values):
    answers = [float(recalibrate(alone(v), DOUBLE).sum()) for v in sorted(values)]
    assert answers == sorted(answers)
