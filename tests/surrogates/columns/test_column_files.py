"""Files of column networks: everything that is needed to trust them, and nothing that is executed."""

from __future__ import annotations

import json

import pytest
import torch

from tradewind.errors import CheckpointError
from tradewind.surrogates.checkpoint import read_header
from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import (
    describe_columns,
    load_columns,
    parse_columns,
    read_columns_header,
    save_columns,
)
from tradewind.surrogates.columns.header import ColumnError, ColumnHeader


@pytest.fixture
def file(tmp_path, network, features):
    path = tmp_path / "net.safetensors"
    error = ColumnError(floor=(0.1, 0.2, 0.3), relative=(0.0, 0.0, 0.5))
    known = {"domain": fit_columns(features).bounds(), "error": error, "seed": 3, "scores": {"rmse": 0.25}}
    save_columns(path, network, ColumnHeader(**describe_columns(network), **known))
    return path


def test_what_is_written_is_read(file, network, features):
    again, header = load_columns(file)
    assert torch.equal(again(features), network(features))
    assert header.scores == {"rmse": 0.25}
    assert header.outputs[1].scale == (1.0, 4.0)
    assert header.parameters == 6 * 12 + 12 + 12 * 7 + 7 + 7 * 3 + 3


def test_the_header_is_read_alone(file):
    assert read_columns_header(file).options["widths"] == [12, 7]


def test_a_network_is_described_by_itself_where_nothing_else_is_known(tmp_path, network):
    save_columns(tmp_path / "plain.safetensors", network)
    assert load_columns(tmp_path / "plain.safetensors")[1].domain is None


def test_a_loaded_network_is_not_trained_further(file):
    assert not any(p.requires_grad for p in load_columns(file)[0].parameters())


def test_double_precision_stays_so(tmp_path, network, features):
    save_columns(tmp_path / "d.safetensors", network.double())
    again, header = load_columns(tmp_path / "d.safetensors")
    assert header.kind == "real64"
    assert torch.equal(again(features.double()), network(features.double()))


def test_a_column_network_is_no_window_network_and_the_other_way_round(file):
    with pytest.raises(CheckpointError, match="format 2"):
        read_header(file)
    with pytest.raises(CheckpointError, match="column networks have 2"):
        parse_columns(json.dumps({"format": 1}), "x")


@pytest.mark.parametrize("text", ["[]", "{", '{"format": 2, "network": "mlp"}'])
def test_a_header_that_is_none_is_named(text):
    with pytest.raises(CheckpointError, match="where"):
        parse_columns(text, "where")


def test_a_truncated_file_is_named(file):
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="truncated"):
        load_columns(file)


def test_weights_that_are_no_numbers_are_not_written(tmp_path, network):
    with torch.no_grad():
        network.layers[0].bias[0] = torch.nan
    with pytest.raises(CheckpointError, match="not finite"):
        save_columns(tmp_path / "nan.safetensors", network)
    assert not list(tmp_path.iterdir())


def test_a_header_of_another_network_is_refused(tmp_path, network):
    other = ColumnHeader(**describe_columns(network) | {"parameters": 1})
    with pytest.raises(CheckpointError, match="parameters"):
        save_columns(tmp_path / "x.safetensors", network, other)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.safetensors"):
        load_columns(tmp_path / "none.safetensors")
