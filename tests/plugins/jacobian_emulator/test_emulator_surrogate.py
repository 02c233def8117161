"""The emulator as an operator: linear, with its adjoint, within its domain, and of the right model."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta

import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import CheckpointError, DomainError, SpecError
from tradewind.plugins.jacobian_emulator.options import EmulatorOptions
from tradewind.plugins.jacobian_emulator.surrogate import JacobianEmulator
from tradewind.plugins.options import Options
from tradewind.plugins.policies.guard import Guard
from tradewind.plugins.policies.shadow import Shadow

END, LENGTH = datetime(1996, 1, 16, 6), timedelta(hours=12)
WINDOW = Interval(END - LENGTH, END)


@pytest.fixture
def draw():
    return lambda *shape: torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture(scope="module")
def jacobian(emulator, model):
    return emulator.tradewind_linearize(model, None, WINDOW)


@pytest.fixture
def fluxes(jacobian, draw):
    """Return three random fluxes that are zero where the emulator is not valid."""
    return draw(3, jacobian.domain.size) * 1e-9 * jacobian.valid


def test_only_cells_with_whole_windows_are_valid(jacobian, transport):
    valid = jacobian.valid.view(transport.domain.shape)
    assert bool(valid[20:24, 20:25].all())
    assert int(valid.sum()) == 20


def test_it_is_linear(jacobian, fluxes):
    a, b = fluxes[0], fluxes[1]
    both = jacobian.forward(2.0 * a - 3.0 * b)
    parts = 2.0 * jacobian.forward(a) - 3.0 * jacobian.forward(b)
    assert torch.allclose(both, parts, rtol=0, atol=1e-13 * float(both.abs().max()))


def test_the_adjoint_is_that_of_the_forward(jacobian, fluxes, draw):
    y = draw(3, jacobian.range.size)
    forward = jacobian.forward(fluxes)
    left, right = float((forward * y).sum()), float((fluxes * jacobian.adjoint(y)).sum())
    assert abs(left - right) <= 1e-12 * float(forward.norm() * y.norm())


def test_a_column_is_the_networks_map_times_what_was_emitted_over_the_air(jacobian, emulator, transport):
    row, column = 21, 22
    cell = row * transport.domain.shape[1] + column
    x = torch.zeros(jacobian.domain.size, dtype=torch.float64)
    x[cell] = 2e-9
    kilograms = 2e-9 * float(transport.domain.area[row, 0]) * 12 * 3600
    seen_by_it = emulator.windows([(row, column)], END)
    exactly = deepcopy(emulator.network.network).double()
    map_ = exactly(seen_by_it.x.double(), seen_by_it.latitude.double())[0].detach()
    seen = jacobian.forward(x).view(transport.domain.shape)
    window = slice(row - 20, row + 21), slice(column - 20, column + 21)
    expected = map_ * kilograms * transport.column_factor(END)[window]
    assert float((seen[window] - expected).norm() / expected.norm()) < 1e-6
    assert torch.allclose(seen[window], expected, rtol=2e-5, atol=0.0)
    assert float(seen.sum()) == pytest.approx(float(seen[window].sum()), rel=1e-12)


def test_nothing_emitted_nothing_seen(jacobian):
    assert not jacobian.forward(jacobian.domain.zeros()).any()


def test_an_emission_outside_its_domain_is_refused_with_its_place(jacobian, transport):
    x = jacobian.domain.zeros()
    x[5 * transport.domain.shape[1] + 3] = 1e-9
    with pytest.raises(
        DomainError, match=r"1 emitting cells .* first at 24\.75 N -112\.25 E \(run_as: guarded"
    ):
        jacobian.forward(x)


def test_gradients_outside_its_domain_are_zero(jacobian, draw):
    gradient = jacobian.adjoint(draw(jacobian.range.size))
    assert not gradient[~jacobian.valid].any()


def test_the_variance_is_ignored_unless_asked_for(jacobian, fluxes):
    assert jacobian.variance(fluxes[0]) is None


def test_the_variance_of_the_networks_error_by_hand(emulator, model, transport):
    # one emitting cell: (floor² + (fraction / 10)²) times the square of what a fraction of one would show
    row, column = 22, 23
    options = EmulatorOptions(checkpoint=emulator.options.checkpoint, error="in_observation_space")
    jacobian = JacobianEmulator(options, transport).tradewind_linearize(model, None, WINDOW)
    x = jacobian.domain.zeros()
    x[row * transport.domain.shape[1] + column] = 1e-9
    shown = 1e-9 * transport.domain.area[row, 0] * 12 * 3600 * transport.column_factor(END)[row, column]
    share = emulator.fractions(((row, column),), END)[0, row, column]
    expected = (1e-8 + 0.01 * share**2) * shown**2
    found = jacobian.variance(x).view(transport.domain.shape)[row, column]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_a_window_of_another_length_is_refused(emulator, model):
    with pytest.raises(SpecError, match=r"windows of 12:00:00.*set run.window to 12h"):
        emulator.tradewind_linearize(model, None, Interval(END - timedelta(hours=6), END))


@pytest.mark.parametrize("window", [None, timedelta(hours=24)])
def test_a_run_with_other_windows_is_refused_before_it_starts(emulator, window):
    with pytest.raises(SpecError, match=r"set run.window to 12h"):
        emulator.verify(window)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"spacing": 0.25}, "spacing 0.5, the model runs with 0.25"),
        ({"scheme": "van_leer"}, "scheme upwind, the model runs with van_leer"),
        ({"layers": (1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.0)}, "layers"),
        ({"boundary_layer": {"depth": 500.0}}, "boundary_layer"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(make_transport, emulator, changes, named):
    with pytest.raises(CheckpointError, match=named):
        JacobianEmulator(emulator.options, make_transport(**changes))


def test_a_checkpoint_that_does_not_say_its_model_is_refused(write_checkpoint, transport, tmp_path):
    path = write_checkpoint(tmp_path / "net.safetensors", reference="unknown")
    with pytest.raises(CheckpointError, match="does not say which model"):
        JacobianEmulator(EmulatorOptions(checkpoint=path), transport)


def test_a_missing_checkpoint_is_named(transport, tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.safetensors"):
        JacobianEmulator(EmulatorOptions(checkpoint=tmp_path / "absent.safetensors"), transport)


@pytest.mark.parametrize("kept", [4, 1000, -100])
def test_a_truncated_checkpoint_is_named(emulator, transport, tmp_path, kept):
    path = tmp_path / "half.safetensors"
    path.write_bytes(emulator.options.checkpoint.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"half\.safetensors"):
        JacobianEmulator(EmulatorOptions(checkpoint=path), transport)


def through(wrapper, operator):
    next(wrapper)
    with pytest.raises(StopIteration) as stop:
        wrapper.send(operator)
    return stop.value.value


def test_guarded_columns_outside_are_the_reference_models(jacobian, model):
    guarded = through(Guard(Options()).tradewind_linearize(model, None, WINDOW), jacobian)
    x = jacobian.domain.zeros()
    x[0] = 3.0
    assert torch.equal(guarded.forward(x), x)


def test_guarded_columns_inside_are_the_emulators(jacobian, model, fluxes):
    guarded = through(Guard(Options()).tradewind_linearize(model, None, WINDOW), jacobian)
    assert torch.allclose(guarded.forward(fluxes), jacobian.forward(fluxes), rtol=1e-14, atol=0)


def test_in_the_shadow_the_numbers_are_the_reference_models(emulator, model, fluxes):
    shadow = Shadow(Options(), emulator)
    operator = through(shadow.tradewind_linearize(model, None, WINDOW), model.reference())
    assert torch.equal(operator.forward(fluxes), model.reference().forward(fluxes))
    assert shadow.relative_difference > 0.0


def test_one_window_asked_twice_is_evaluated_once(jacobian, emulator, fluxes):
    jacobian.forward(fluxes)
    calls = emulator.count.calls
    jacobian.forward(2.0 * fluxes)
    assert emulator.count.calls == calls
