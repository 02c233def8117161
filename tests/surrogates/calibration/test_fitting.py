"""Everything that a checkpoint says of its errors, in one call."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import CheckpointError, DataError
from tradewind.surrogates.calibration import calibrated, refit
from tradewind.surrogates.calibration.fitting import fit
from tradewind.surrogates.checkpoint import CheckpointHeader, ErrorModel, read_header, save_checkpoint
from tradewind.surrogates.datasets import Samples, Windows
from tradewind.surrogates.domain import Domain
from tradewind.surrogates.networks import CompactNetwork
from tradewind.surrogates.normalisation import Normalisation
from tradewind.surrogates.surrogate import WindowSurrogate, describe

SMALL = {
    "widths": (4, 4, 8),
    "plume": {"particles": 4, "ages": 2, "blends": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))},
}


@pytest.fixture
def samples(displaced) -> Samples:
    x = torch.zeros(8, 13, 41, 41)
    x[:, :12] = torch.randn(8, 12, 1, 1, generator=torch.Generator().manual_seed(2)) * 3.0
    x[:, 12] = 1e5
    return Samples(Windows(x, torch.linspace(30.0, 40.0, 8)), displaced(8, 0.0)[0].float())


@pytest.fixture
def network() -> CompactNetwork:
    torch.manual_seed(0)
    return CompactNetwork(Normalisation((0.0,) * 12 + (1e5,), (10.0,) * 12 + (1000.0,), 0.01), **SMALL)


@pytest.fixture
def checkpoint(network, samples, tmp_path):
    header = CheckpointHeader(
        **describe(network), training_period=("1996-01-05", "1996-01-13"), seed=0,
        domain=Domain.fit(samples.windows).bounds(), error=ErrorModel(floor=1e-4, relative=0.1),
    )  # fmt: skip
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, network, header)
    return path


def test_an_older_file_has_no_calibration_and_is_not_recalibrated(checkpoint, samples, network):
    surrogate = WindowSurrogate.from_checkpoint(checkpoint)
    assert surrogate.calibration is None
    assert surrogate.error_maps(surrogate(samples.windows)) is None


def test_a_checkpoint_is_calibrated_in_its_place(checkpoint, samples):
    before = WindowSurrogate.from_checkpoint(checkpoint)(samples.windows)
    refit(checkpoint, samples)
    surrogate = WindowSurrogate.from_checkpoint(checkpoint)
    after = surrogate(samples.windows)
    assert not torch.equal(before, after)
    assert float(after.sum(dim=(1, 2)).max()) <= 1.0 + 1e-6
    expected = surrogate.error_maps(after).variance
    assert torch.allclose(surrogate.error(samples.windows), expected)


def test_all_else_in_the_header_stays(checkpoint, samples, tmp_path):
    before = read_header(checkpoint)
    refit(checkpoint, samples, output=tmp_path / "new.safetensors")
    after = read_header(tmp_path / "new.safetensors")
    assert read_header(checkpoint) == before
    same = {"error": before.error, "calibration": None}
    assert after.model_copy(update=same) == before
    assert after.calibration is not None


def test_calibrating_twice_changes_nothing(checkpoint, samples):
    assert refit(checkpoint, samples) == refit(checkpoint, samples)


def test_the_plain_error_model_is_that_of_recalibrated_answers(displaced):
    # twice too much everywhere: recalibrated, nothing is left to be wrong
    _, t = displaced(20, 0.0)
    assert fit(2.0 * t * 0.5, t).error.relative < 0.05


def test_no_samples_are_refused(network, samples):
    with pytest.raises(DataError, match="held-out set is empty"):
        calibrated(network, samples.select(torch.zeros(8, dtype=torch.bool)))


def test_a_missing_checkpoint_is_named(samples, tmp_path):
    with pytest.raises(CheckpointError, match="absent"):
        refit(tmp_path / "absent.safetensors", samples)
