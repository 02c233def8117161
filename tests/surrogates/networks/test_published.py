"""Pan & Zhang's table, layer by layer."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import SpecError
from tradewind.surrogates.networks import PublishedNetwork, parameter_count
from tradewind.surrogates.networks.published import even_convolution
from tradewind.surrogates.normalisation import Normalisation


@pytest.fixture(scope="module")
def network() -> PublishedNetwork:
    torch.manual_seed(0)
    return PublishedNetwork().eval()


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        ("separable", 565),
        ("convolution", 9_248),
        ("wide", 36_896),
        ("hidden", 2_692_962),
        ("output", 5_653_203),
    ],
)
def test_each_layer_has_the_parameters_of_the_table(network, layer, count):
    assert parameter_count(getattr(network, layer)) == count


def test_all_layers_together_have_the_parameters_of_the_table(network):
    assert parameter_count(network) == 8_392_874


def test_no_parameter_hides_outside_the_five_layers(network):
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {
        "separable",
        "convolution",
        "wide",
        "hidden",
        "output",
    }


def test_the_separable_layer_is_13_times_9_plus_13_times_32_plus_32():
    assert 13 * 9 + 13 * 32 + 32 == 565


def test_shapes_between_layers_are_those_of_the_table(network):
    seen = {}
    hooks = [
        getattr(network, name).register_forward_hook(
            lambda _, __, answer, name=name: seen.update({name: tuple(answer.shape[1:])})
        )
        for name in ("separable", "convolution", "wide", "hidden")
    ]
    network(torch.zeros(1, 13, 41, 41), torch.zeros(1))
    for hook in hooks:
        hook.remove()
    assert seen == {
        "separable": (32, 41, 41),
        "convolution": (32, 20, 20),
        "wide": (32, 10, 10),
        "hidden": (3362,),
    }


def test_the_even_kernel_is_padded_two_before_and_three_after():
    """Keras 'same': a kernel of 6 sums inputs i-2 ... i+3, so a spike at 4 is seen by outputs 1 ... 6."""
    layer = even_convolution()
    with torch.no_grad():
        layer[1].weight.fill_(1.0)
        layer[1].bias.zero_()
    spike = torch.zeros(1, 32, 10, 10)
    spike[0, 0, 4, 4] = 1.0
    seen = layer(spike)[0, 0].detach().sum(dim=0)
    assert seen.nonzero().flatten().tolist() == [1, 2, 3, 4, 5, 6]


def test_the_answer_is_a_map_per_window(network):
    assert network(torch.zeros(3, 13, 41, 41), torch.zeros(3)).shape == (3, 41, 41)


def test_the_latitude_is_not_used(network):
    x = torch.randn(2, 13, 41, 41, generator=torch.Generator().manual_seed(1))
    assert torch.equal(network(x, torch.tensor([10.0, 60.0])), network(x, torch.tensor([50.0, 20.0])))


def test_the_output_scale_multiplies_the_answer():
    x, latitude = torch.ones(1, 13, 41, 41), torch.zeros(1)
    unit = PublishedNetwork()
    scaled = PublishedNetwork(Normalisation((0.0,) * 13, (1.0,) * 13, 0.25))
    scaled.load_state_dict(unit.state_dict())
    torch.testing.assert_close(scaled(x, latitude), 0.25 * unit(x, latitude))


@pytest.mark.parametrize("shape", [(2, 12, 41, 41), (2, 13, 40, 41), (13, 41, 41), ()])
def test_windows_of_another_shape_are_refused(network, shape):
    with pytest.raises(SpecError, match="windows of shape"):
        network(torch.zeros(shape), torch.zeros(2))


def test_a_latitude_too_few_is_refused(network):
    with pytest.raises(SpecError, match=r"latitudes of shape \(1,\), expected \(2,\)"):
        network(torch.zeros(2, 13, 41, 41), torch.zeros(1))


def test_scales_for_another_number_of_channels_are_refused():
    with pytest.raises(SpecError, match="3 scales for 13 input channels"):
        PublishedNetwork(Normalisation.identity(3))
