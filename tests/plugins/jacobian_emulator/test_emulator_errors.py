"""The emulator's errors as observations see them, and the reference model's answer at the prior."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch

from tradewind.couplers.assimilation.linearization import Anchored, Correlated, GuardedOperator, Moments
from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.operators import Distributed, MatrixOperator, Replicated
from tradewind.errors import DomainError
from tradewind.plugins.jacobian_emulator.errors import superposed
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions
from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator
from tradewind.surrogates.calibration import error_maps, likeness
from tradewind.surrogates.checkpoint import (
    Calibration,
    ErrorStructure,
    Recalibration,
    load_checkpoint,
    save_checkpoint,
)

END, LENGTH = datetime(1996, 1, 16, 6), timedelta(hours=12)
WINDOW = Interval(END - LENGTH, END)
ROOT = tuple((0.1 * (k == 0), 0.05 * (k in (1, 7))) for k in range(12))
STRUCTURE = ErrorStructure(root=ROOT, rest=(1e-6, 0.01, 0.0), length=3.0, power=1.0)
CALIBRATION = Calibration(
    recalibration=Recalibration(knots=(0.0, 0.1), values=(0.0, 0.1)), structure=STRUCTURE
)
SOURCES = ((20, 21), (20, 22), (22, 22))
SEEN = ((21, 23), (20, 22), (25, 20))


@pytest.fixture(scope="module")
def calibrated_file(write_checkpoint, tmp_path_factory) -> Path:
    path = write_checkpoint(tmp_path_factory.mktemp("calibrated") / "net.safetensors")
    network, header = load_checkpoint(path)
    save_checkpoint(path, network, header.model_copy(update={"calibration": CALIBRATION}))
    return path


@pytest.fixture
def jacobian(calibrated_file, transport, model):
    """Return a function that makes the Jacobian under some options."""

    def make(**options):
        chosen = EmulatorOptions(checkpoint=calibrated_file, **options)
        return JacobianEmulator(chosen, transport).tradewind_linearize(model, None, WINDOW)

    return make


@pytest.fixture
def flat(transport):
    """Return the number of a cell."""
    return lambda cell: cell[0] * transport.domain.shape[1] + cell[1]


@pytest.fixture
def look(jacobian, flat):
    """Return what sees three cells, the last with weight two."""
    H = torch.zeros(3, jacobian().range.size, dtype=torch.float64)
    H[torch.arange(3), [flat(cell) for cell in SEEN]] = torch.tensor([1.0, 1.0, 2.0], dtype=torch.float64)
    return MatrixOperator(H, jacobian().range, Replicated(3))


@pytest.fixture
def moments(jacobian, flat):
    """Return three sources, of which two are uncertain together."""
    size = jacobian().domain.size
    mean, spread = torch.zeros(size, dtype=torch.float64), torch.zeros(1, size, dtype=torch.float64)
    mean[[flat(cell) for cell in SOURCES]] = torch.tensor([1e-9, 2e-9, 3e-9], dtype=torch.float64)
    spread[0, [flat(cell) for cell in SOURCES[:2]]] = 5e-10
    return Moments(mean, spread)


def by_hand(jacobian, transport, second):
    """Sum over every pair of sources and every pair of observations, one number after the other."""
    emulator = jacobian.emulator
    maps = error_maps(emulator.shares(SOURCES, END), STRUCTURE)
    factor, weights = transport.column_factor(END), (1.0, 1.0, 2.0)
    found = torch.zeros(3, 3, dtype=torch.float64)
    for a, (i, j) in enumerate(SOURCES):
        for b, (k, m) in enumerate(SOURCES):
            apart = torch.tensor(((i - k) ** 2 + (j - m) ** 2) ** 0.5, dtype=torch.float64)
            rho = float(likeness(apart, STRUCTURE))
            mass = [float(transport.domain.area[row, 0]) * 12 * 3600 for row in (i, k)]
            for o, (r, c) in enumerate(SEEN):
                for p, (s, d) in enumerate(SEEN):
                    one = maps.shapes[a, :, r - i + 20, c - j + 20]
                    other = maps.shapes[b, :, s - k + 20, d - m + 20]
                    value = rho * float(one @ other)
                    value += float(maps.rest[a, r - i + 20, c - j + 20]) * (a == b and o == p)
                    scale = mass[0] * mass[1] * float(factor[r, c] * factor[s, d])
                    found[o, p] += float(second[a, b]) * value * scale * weights[o] * weights[p]
    return found


def test_the_covariance_is_the_sum_over_all_pairs(jacobian, transport, look, moments, flat):
    made = jacobian(error="in_observation_space")
    cells = torch.tensor([flat(cell) for cell in SOURCES])
    expected = by_hand(made, transport, moments.of(cells))
    assert torch.allclose(made.covariance(moments, look), expected, rtol=1e-9, atol=0)


def test_it_is_symmetric_and_positive(jacobian, look, moments):
    found = jacobian(error="in_observation_space").covariance(moments, look)
    assert torch.equal(found, found.T)
    assert float(torch.linalg.eigvalsh(found).min()) > 0.0


def test_twice_the_emission_has_four_times_the_covariance(jacobian, look, moments):
    made = jacobian(error="in_observation_space")
    twice = Moments(2.0 * moments.mean, 2.0 * moments.spread)
    assert torch.allclose(made.covariance(twice, look), 4.0 * made.covariance(moments, look), rtol=1e-12)


def test_nothing_emitted_nothing_uncertain(jacobian, look, moments):
    nothing = Moments(torch.zeros_like(moments.mean), torch.zeros_like(moments.spread))
    assert not jacobian(error="in_observation_space").covariance(nothing, look).any()


def test_it_is_ignored_unless_asked_for(jacobian, look, moments):
    assert jacobian().covariance(moments, look) is None


def test_an_older_checkpoint_knows_variances_only(emulator, transport, model, look, moments):
    options = EmulatorOptions(checkpoint=emulator.options.checkpoint, error="in_observation_space")
    older = JacobianEmulator(options, transport).tradewind_linearize(model, None, WINDOW)
    assert older.covariance(moments, look) is None
    assert older.variance(moments.mean) is not None


def test_an_emission_outside_its_domain_is_refused(jacobian, look, moments):
    outside = moments.spread.clone()
    outside[0, 0] = 1e-9
    with pytest.raises(DomainError, match="1 emitting cells lie outside"):
        jacobian(error="in_observation_space").covariance(Moments(moments.mean, outside), look)


def test_behind_a_guard_the_reference_has_no_errors(jacobian, look, moments):
    outside = moments.spread.clone()
    outside[0, 0] = 1e-9
    made = jacobian(error="in_observation_space")
    guarded = GuardedOperator(made, made.model.reference(), made.valid)
    assert isinstance(guarded, Correlated)
    found = guarded.covariance(Moments(moments.mean, outside), look)
    assert torch.equal(found, made.covariance(moments, look))


# ---------------------------------------------------------------------- the reference's answer at the prior
def test_only_changes_are_uncertain_where_the_reference_answers_for_the_prior(jacobian, look, moments):
    made = jacobian(error="in_observation_space", base="reference")
    nothing = Moments(torch.zeros_like(moments.mean), moments.spread)
    expected = jacobian(error="in_observation_space").covariance(nothing, look)
    assert torch.equal(made.covariance(moments, look), expected)
    assert float(expected[2, 2]) > 0.0


def test_the_correction_is_what_the_reference_says_less_what_the_network_says(jacobian, moments):
    # the reference of these tests gives back what it is given
    made = jacobian(base="reference")
    assert isinstance(made, Anchored)
    assert made.anchored
    assert torch.equal(made.correction(moments.mean), moments.mean - made.forward(moments.mean))


def test_the_network_answers_for_the_prior_by_default(jacobian):
    assert not jacobian().anchored


def test_superposed_by_hand():
    # two sources, one shape seen with 1 and 2 by each of two observations: M = [[1, 1], [1, 1]] adds them
    shapes = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]], dtype=torch.float64)
    alike = torch.ones(2, 2, dtype=torch.float64)
    assert superposed(shapes, alike).tolist() == [[16.0, 24.0], [24.0, 36.0]]


def test_the_spaces_are_those_of_the_columns(jacobian):
    assert isinstance(jacobian().range, Distributed)
