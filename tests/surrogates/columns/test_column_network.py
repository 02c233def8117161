"""Column networks: features first, columns last, every column by itself."""

from __future__ import annotations

import pytest
import torch

from tradewind.errors import CheckpointError, SpecError
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader, Kind, features
from tradewind.surrogates.columns.network import ACTIVATIONS, MLP, build_columns

ONE = ColumnField(name="a", units="1")


def linear(weight, bias, **scales) -> MLP:
    network = MLP((ColumnField(name="a", units="1", **scales),), (ONE,), widths=())
    with torch.no_grad():
        network.layers[0].weight.fill_(weight)
        network.layers[0].bias.fill_(bias)
    return network


def test_without_hidden_layers_it_is_a_line():
    assert linear(2.0, 1.0)(torch.tensor([[0.0, 3.0]])).tolist() == [[1.0, 7.0]]


def test_it_sees_scaled_inputs():
    # (9 - 5) / 2 = 2, and 2 * 2 + 1 = 5
    assert linear(2.0, 1.0, mean=(5.0,), scale=(2.0,))(torch.tensor([[9.0]])).item() == 5.0


def test_it_gives_answers_in_their_units():
    network = MLP((ONE,), (ColumnField(name="b", units="K", mean=(280.0,), scale=(10.0,)),), widths=())
    with torch.no_grad():
        network.layers[0].weight.fill_(1.0)
        network.layers[0].bias.zero_()
    assert network(torch.tensor([[0.5]])).item() == 285.0


def test_it_is_the_textbook_formula(network, features):
    x = torch.cat([(features[:5] - 0.5) / 2.0, (features[5:] - 1.0) / 0.5])
    first, second, last = network.layers
    h = torch.tanh(first(x.T))
    y = last(torch.tanh(second(h))).T
    expected = torch.cat([3.0 * y[:1], 1.0 + y[1:2], -1.0 + 4.0 * y[2:]])
    torch.testing.assert_close(network(features), expected)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_can_stand_between_and_last(name):
    network = MLP((ONE,), (ONE,), widths=(3,), activation=name, output_activation=name)
    assert network(torch.ones(1, 4)).shape == (1, 4)


def test_a_parameter_stays_in_its_range():
    field = ColumnField(name="q10", units="1", mean=(1.2,), scale=(1.8,))
    network = MLP((ONE,), (field,), widths=(4,), output_activation="sigmoid")
    found = network(1000 * torch.randn(1, 500))
    assert 1.2 <= found.min() <= found.max() <= 3.0


def test_in_double_precision_scales_are_those_of_the_header():
    network = linear(1.0, 0.0, mean=(0.1,)).double()
    assert network.input_mean.item() == 0.1
    assert network.float().input_mean.dtype is torch.float32


@pytest.mark.parametrize("options", [{"activation": "sine"}, {"widths": (4, 0)}])
def test_nonsense_is_refused(options):
    with pytest.raises(SpecError):
        MLP((ONE,), (ONE,), **options)


def test_an_unknown_kind_of_network_names_the_known():
    with pytest.raises(CheckpointError, match="mlp"):
        build_columns("cnn", {}, ((ONE,), (ONE,)))


def test_it_can_be_built_in_double_precision():
    network = build_columns("mlp", {"widths": [3]}, ((ONE,), (ONE,)), Kind.REAL64)
    assert {p.dtype for p in network.parameters()} == {torch.float64}


# ---------------------------------------------------------------------- what a header may say
def test_features_of_fields_add_up(network):
    assert (features(network.inputs), features(network.outputs)) == (6, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": (0.0,)},
        {"size": 3, "mean": (1.0, 2.0)},
        {"size": 0},
        {"name": " "},
        {"units": ""},
        {"scale": (float("nan"),)},
    ],
)
def test_a_field_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match=r".+"):
        ColumnField(**{"name": "a", "units": "1"} | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": (ONE, ONE)},
        {"outputs": ()},
        {"error": {"floor": (1.0, 2.0), "relative": (0.0, 0.0)}},
        {
            "domain": {
                "lower": (0.0,), "upper": (1.0, 1.0), "centre": (0.0,), "whitening": ((1.0,),), "distance": 1,
            }
        },
    ],
)  # fmt: skip
def test_a_header_that_contradicts_itself_is_refused(wrong):
    right = {"network": "mlp", "parameters": 2, "inputs": (ONE,), "outputs": (ONE,)}
    assert ColumnHeader(**right).kind == "real32"
    with pytest.raises(ValueError, match=r".+"):
        ColumnHeader(**right | wrong)
