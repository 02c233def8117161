"""A surrogate knows what it takes, where it may, and how far it may be wrong."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import CheckpointError
from tradewind.surrogates.checkpoint import CheckpointHeader, ErrorModel, save_checkpoint
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.surrogate import Surrogate, WindowSurrogate, describe, error_variance


@pytest.fixture
def surrogate(small, smooth):
    return WindowSurrogate(small(), Domain.fit(smooth(100, 0)), ErrorModel(floor=0.01, relative=0.5))


def save(path, network, **extra):
    header = CheckpointHeader(
        **describe(network), training_period=("1996-01-05", "1996-01-13"), seed=0, **extra
    )
    save_checkpoint(path, network, header)
    return path


def test_the_contract_cannot_be_used_half_implemented():
    class Half(Surrogate[int]):
        def forward(self, x):
            return torch.zeros(x)

    with pytest.raises(TypeError, match="error"):
        Half()


def test_its_spec_names_inputs_and_outputs_with_units(surrogate):
    assert len(surrogate.spec.imports) == 14
    assert surrogate.spec.variable("imports", "surface_air_pressure").units == "Pa"
    assert surrogate.spec.variable("imports", "eastward_wind_low_first_half").units == "m s-1"
    assert surrogate.spec.variable("exports", "fraction").units == "1"


def test_it_answers_as_its_network_does_in_full_blocks(surrogate, smooth):
    windows = smooth(64, 1)
    with torch.no_grad():
        expected = surrogate.network(windows.x, windows.latitude)
    assert torch.equal(surrogate(windows), expected)


def test_it_is_valid_per_window(surrogate, smooth):
    windows = smooth(2, 0)
    windows.x[1, :12] += 100.0
    assert surrogate.valid(windows).tolist() == [True, False]


def test_its_error_has_the_shape_of_its_answer(surrogate, smooth):
    windows = smooth(2, 0)
    torch.testing.assert_close(surrogate.error(windows), 0.01**2 + (0.5 * surrogate(windows)) ** 2)


def test_the_variance_is_floor_and_relative_part():
    """0.3^2 + (0.4 * 1)^2 = 0.5^2."""
    assert float(error_variance(torch.tensor(1.0), ErrorModel(floor=0.3, relative=0.4))) == pytest.approx(
        0.25
    )


def test_it_comes_back_from_a_checkpoint(surrogate, small, smooth, tmp_path):
    path = save(tmp_path / "n", small(), domain=surrogate.domain.bounds(), error=surrogate.errors)
    again, windows = WindowSurrogate.from_checkpoint(path), smooth(3, 4)
    assert torch.equal(again(windows), surrogate(windows))
    assert torch.equal(again.valid(windows), surrogate.valid(windows))
    assert torch.equal(again.error(windows), surrogate.error(windows))


def test_a_checkpoint_without_a_domain_makes_no_surrogate(small, tmp_path):
    path = save(tmp_path / "n", small(), error=ErrorModel(floor=0.0, relative=0.0))
    with pytest.raises(CheckpointError, match="holds no domain of validity or no error model"):
        WindowSurrogate.from_checkpoint(path)
