"""The compact network: small, bounded, and better than its first guess once trained."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.errors import CheckpointError
from tradewind.surrogates.networks import CompactNetwork, build_network, parameter_count
from tradewind.surrogates.networks.unet import UNet, halved
from tradewind.surrogates.normalisation import Normalisation


def test_it_has_less_than_a_tenth_of_the_published_parameters():
    assert parameter_count(CompactNetwork()) < 839_287


def test_its_checkpoint_stays_far_below_four_megabytes():
    assert 4 * parameter_count(CompactNetwork()) < 1_600_000


def test_the_answer_is_a_map_per_window(small, smooth):
    windows = smooth(3, 0)
    assert small()(windows.x, windows.latitude).shape == (3, 41, 41)


def test_untrained_it_answers_with_the_mean_of_its_first_guesses(small, smooth):
    windows, network = smooth(2, 0), small()
    guesses = network.first_guess(windows.x, windows.latitude)
    answer = network(windows.x, windows.latitude)
    mean = guesses.sum(1) / 2  # two blends of equal weight, each the sum of its age groups
    torch.testing.assert_close(answer, mean, rtol=0.0, atol=5e-4)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), strength=st.floats(0.0, 60.0))
def test_it_never_makes_mass_whatever_the_weights(seed, strength):
    torch.manual_seed(seed)
    network = CompactNetwork(widths=(4, 4, 8), plume={"particles": 4, "ages": 2})
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
        answer = network(strength * torch.randn(2, 13, 41, 41), 60.0 * torch.rand(2))
    assert bool((answer >= 0).all())
    assert bool((answer.sum(dim=(1, 2)) <= 1 + 1e-5).all())


def test_what_the_gale_blows_out_of_the_window_is_not_in_the_answer(small, uniform):
    windows = uniform(0.0, 90.0)
    assert float(small()(windows.x, windows.latitude).sum().detach()) < 0.5


def test_every_weight_takes_part_in_the_answer(small, draw):
    """Zero-initialised heads hide what is behind them, so they are moved first."""
    network, samples = small(), draw(2)
    with torch.no_grad():
        for head in (network.correction, network.mixture, network.left):
            head.weight.add_(0.1)
    answer = network(samples.windows.x, samples.windows.latitude)
    (answer - samples.target).square().sum().backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert silent == []


def test_its_options_build_it_again(small):
    network = small()
    twin = build_network("compact", network.options(), network.normalisation)
    twin.load_state_dict(network.state_dict())
    x, latitude = torch.ones(1, 13, 41, 41), torch.tensor([30.0])
    assert torch.equal(twin(x, latitude), network(x, latitude))


def test_the_scales_are_no_weights_and_are_not_stored_among_them(small):
    assert not {"mean", "scale", "coordinates", "first_guess.blends"} & set(small().state_dict())


def test_the_network_sees_scaled_inputs():
    network = CompactNetwork(Normalisation((5.0,) * 13, (2.0,) * 13))
    assert float(network.standardise(torch.full((1, 13, 1, 1), 9.0))[0, 3, 0, 0]) == 2.0


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(
        CheckpointError, match=r"no network is called 'compat' \(known: compact, operator, published\)"
    ):
        build_network("compat", {}, Normalisation.identity(13))


@pytest.mark.parametrize(
    "options",
    [{"depth": 3}, {"plume": {"particles": 5, "ages": 2}}, {"plume": {"colour": 1}}, {"widths": ["a", "b"]}],
)
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises(CheckpointError, match="does not take these options"):
        build_network("compact", options, Normalisation.identity(13))


def test_halving_an_odd_row_keeps_its_last_cell():
    """Means of pairs; 41 = 20 pairs and one alone."""
    row = halved(torch.arange(5.0).view(1, 1, 1, 5))
    assert row.flatten().tolist() == [0.5, 2.5, 4.0]


@pytest.mark.parametrize("widths", [(4, 8), (4, 8, 8), (4, 4, 8, 8)])
def test_a_unet_of_any_depth_keeps_the_resolution(widths):
    field, summary = UNet(3, 13, widths)(torch.zeros(2, 3, 41, 41), torch.zeros(2, 13, 21, 21))
    assert field.shape == (2, widths[0], 41, 41)
    assert summary.shape == (2, widths[-1])


@pytest.mark.parametrize("stride", [1, 2])
def test_either_stride_starts_from_the_first_guess(stride):
    network = CompactNetwork(widths=(4, 4, 8), plume={"particles": 4, "ages": 2}, stride=stride).eval()
    x, latitude = torch.zeros(1, 13, 41, 41), torch.full((1,), 40.0)
    guess = network.first_guess(x, latitude).mean(1)[0] * network.first_guess.ages
    assert torch.allclose(network(x, latitude)[0], guess, atol=5e-3)


def test_a_correction_on_pairs_lies_between_its_points():
    network = CompactNetwork(widths=(4, 4, 8), stride=2)
    ramp = torch.arange(21.0).expand(1, 1, 21, 21)
    fine = network._on_cells(ramp)
    assert fine.shape == (1, 1, 41, 41)
    assert torch.allclose(fine[0, 0, 0, 1:40], torch.arange(39) / 2.0 + 0.25)


def test_another_stride_is_refused():
    with pytest.raises(ValueError, match="stride of 3"):
        CompactNetwork(stride=3)


PUFFS = {"paths": 2, "particles": 4, "ages": 2, "hidden": 4}


def test_with_puffs_an_untrained_network_answers_with_their_sum(smooth):
    windows = smooth(2, 0)
    network = CompactNetwork(widths=(4, 4, 8), puffs=PUFFS).eval()
    answer = network(windows.x, windows.latitude)
    guess = network.first_guess.spread(windows.x, windows.latitude).total()
    torch.testing.assert_close(answer, guess, rtol=0.0, atol=5e-4)


def test_with_puffs_it_needs_no_mixture_and_learns_how_they_ride(draw):
    network, samples = CompactNetwork(widths=(4, 4, 8), puffs=PUFFS), draw(2)
    with torch.no_grad():
        for head in (network.correction, network.left, network.first_guess.met[2]):
            head.weight.add_(0.1)
    answer = network(samples.windows.x, samples.windows.latitude)
    (answer - samples.target).square().sum().backward()
    assert network.mixture is None
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)]
    assert silent == []


def test_with_puffs_it_never_makes_mass_either():
    torch.manual_seed(4)
    network = CompactNetwork(widths=(4, 4, 8), puffs=PUFFS)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.5 * torch.randn_like(weights))
        answer = network(20.0 * torch.randn(3, 13, 41, 41), 60.0 * torch.rand(3))
    assert bool((answer >= 0).all())
    assert bool((answer.sum(dim=(1, 2)) <= 1 + 1e-5).all())


def test_options_with_puffs_build_it_again():
    network = CompactNetwork(widths=(4, 4, 8), puffs=PUFFS)
    options = network.options()
    assert set(options) == {"widths", "puffs", "stride"}
    twin = build_network("compact", options, network.normalisation)
    twin.load_state_dict(network.state_dict())
    x, latitude = torch.ones(1, 13, 41, 41), torch.tensor([30.0])
    assert torch.equal(twin(x, latitude), network(x, latitude))


def test_a_plume_and_puffs_are_one_first_guess_too_many():
    with pytest.raises(ValueError, match="not both"):
        CompactNetwork(plume={"particles": 4, "ages": 2}, puffs=PUFFS)
