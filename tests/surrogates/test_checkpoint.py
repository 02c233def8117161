"""Checkpoints: what goes in comes out, and nothing damaged gets in."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from tradewind.errors import CheckpointError
from tradewind.surrogates.checkpoint import (
    Bounds,
    CheckpointHeader,
    ErrorModel,
    load_checkpoint,
    read_header,
    save_checkpoint,
)
from tradewind.surrogates.networks import NETWORKS, PublishedNetwork
from tradewind.surrogates.surrogate import describe

BOUNDS = Bounds(lower=(0.0,), upper=(1.0,), centre=(0.1,), whitening=((2.0,),), distance=3.0)


def header_of(weights, **changes):
    facts = {
        "training_period": ("1996-01-05", "1996-01-13"),
        "provenance": {"samples": "abc", "plan": {"epochs": 3}},
        "seed": 4,
        "scores": {"rmse": 0.1 + 0.2},
        "domain": BOUNDS,
        "error": ErrorModel(floor=0.1, relative=0.2),
    }
    return CheckpointHeader(**{**describe(weights), **facts, **changes})


@pytest.fixture
def saved(small, tmp_path):
    network = small(3)
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, network, header_of(network))
    return path


def rewrite(path, change):
    """Change the JSON header of a checkpoint in place."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    table = json.loads(raw[8 : 8 + length])
    header = json.loads(table["__metadata__"]["tradewind"])
    change(header)
    table["__metadata__"]["tradewind"] = json.dumps(header)
    text = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


def retensor(path, change):
    """Change the tensors of a checkpoint in place."""
    text = read_header(path).model_dump_json()
    tensors = change(load_file(path))
    save_file(tensors, path, metadata={"tradewind": text})


def test_the_network_comes_back_bit_by_bit(saved, small):
    network, _ = load_checkpoint(saved)
    expected = small(3).state_dict()
    assert network.state_dict().keys() == expected.keys()
    assert all(torch.equal(values, expected[name]) for name, values in network.state_dict().items())


def test_the_network_that_comes_back_answers_the_same(saved, small, smooth):
    windows = smooth(2, 0)
    network, _ = load_checkpoint(saved)
    assert not network.training
    assert torch.equal(network(windows.x, windows.latitude), small(3)(windows.x, windows.latitude))


def test_the_header_comes_back_as_it_was(saved, small):
    assert read_header(saved) == header_of(small(3)) == load_checkpoint(saved)[1]


def test_the_header_names_the_units_of_everything(saved):
    header = read_header(saved)
    assert [q.units for q in header.inputs] == ["m s-1"] * 12 + ["Pa", "degrees_north"]
    assert [q.units for q in header.outputs] == ["1"]


def test_the_scales_come_back_as_they_were(saved, small):
    network, _ = load_checkpoint(saved)
    assert network.normalisation == small(3).normalisation


def test_the_published_network_fits_too(tmp_path):
    torch.manual_seed(0)
    network, path = PublishedNetwork(), tmp_path / "published.safetensors"
    save_checkpoint(path, network, header_of(network))
    assert read_header(path).parameters == 8_392_874
    assert isinstance(load_checkpoint(path)[0], PublishedNetwork)


def test_reading_the_header_loads_no_torch(saved):
    code = (
        "import sys; from tradewind.surrogates.checkpoint import read_header;"
        f"read_header({str(saved)!r}); sys.exit('torch' in sys.modules or 'safetensors' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_saving_replaces_an_older_file_and_leaves_nothing_beside_it(saved, small):
    network = small(9)
    save_checkpoint(saved, network, header_of(network, seed=9))
    assert read_header(saved).seed == 9
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_save_that_fails_leaves_the_older_file_untouched(saved, small):
    before, network = saved.read_bytes(), small(9)
    with torch.no_grad():
        network.left.weight.fill_(torch.inf)
    with pytest.raises(CheckpointError, match=r"tensor 'left\.weight' holds values that are not finite"):
        save_checkpoint(saved, network, header_of(network))
    assert saved.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(small, tmp_path):
    network = small()
    with pytest.raises(CheckpointError, match=r"nowhere/n\.safetensors: cannot be written"):
        save_checkpoint(tmp_path / "nowhere" / "n.safetensors", network, header_of(network))


def test_a_header_of_another_network_is_not_saved(small, tmp_path):
    with pytest.raises(CheckpointError, match="names the network 'published', the weights are of 'compact'"):
        save_checkpoint(tmp_path / "n", small(), header_of(small(), network="published"))


def test_a_header_with_another_count_is_not_saved(small, tmp_path):
    with pytest.raises(CheckpointError, match="the header says 12 parameters"):
        save_checkpoint(tmp_path / "n", small(), header_of(small(), parameters=12))


def test_a_score_that_is_not_a_number_is_not_saved(small):
    with pytest.raises(ValidationError, match="finite"):
        header_of(small(), scores={"rmse": float("nan")})


def test_an_unknown_entry_is_refused(small):
    with pytest.raises(ValidationError, match="colour"):
        header_of(small(), colour="blue")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"absent\.safetensors: cannot be read: No such file"):
        read_header(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 8, 100, -1, -4000])
def test_a_truncated_file_is_refused_wherever_it_ends(saved, kept):
    saved.write_bytes(saved.read_bytes()[:kept])
    for read in (read_header, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"network\.safetensors: is truncated"):
            read(saved)


def test_a_padded_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match="truncated or padded"):
        load_checkpoint(saved)


def test_a_pickle_is_refused_unopened(tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("a pickle was loaded",)

    path = tmp_path / "network.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"not json", b"[1, 2]", b"\xff\xfe\xfd"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(struct.pack("<Q", len(content)) + content)
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        read_header(path)


@pytest.mark.parametrize(
    "table",
    [
        {"a": 3},
        {"a": {"dtype": "F32"}},
        {"a": {"data_offsets": [0, "x"]}},
        {"__metadata__": 7},
        {"__metadata__": {"tradewind": 7}},
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, table):
    path = tmp_path / "odd"
    text = json.dumps({"__metadata__": {"tradewind": "{}"}, **table}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(CheckpointError, match="odd: is no"):
        read_header(path)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"foreign\.safetensors: is no checkpoint of tradewind"):
        load_checkpoint(path)


def test_another_format_is_refused_with_both_versions(saved):
    rewrite(saved, lambda header: header.update(format=2))
    with pytest.raises(CheckpointError, match="has format 2, this version reads 1"):
        read_header(saved)


@pytest.mark.parametrize("name", ["network", "seed", "inputs", "normalisation", "code_version"])
def test_a_missing_entry_of_the_header_is_named(saved, name):
    rewrite(saved, lambda header: header.pop(name))
    with pytest.raises(CheckpointError, match=f"faulty header: {name}: Field required"):
        read_header(saved)


def test_a_header_that_is_no_json_is_refused(saved):
    tensors = load_file(saved)
    save_file(tensors, saved, metadata={"tradewind": "{'format': 1"})
    with pytest.raises(CheckpointError, match="faulty header"):
        read_header(saved)


def test_an_unknown_network_is_refused_with_the_known_ones(saved):
    rewrite(saved, lambda header: header.update(network="transformer"))
    with pytest.raises(CheckpointError, match=r"network\.safetensors: no network is called 'transformer'"):
        load_checkpoint(saved)


def test_a_network_that_a_caller_knows_is_built(saved, small):
    class Mine(NETWORKS["compact"]):
        name = "mine"

    rewrite(saved, lambda header: header.update(network="mine"))
    assert isinstance(load_checkpoint(saved, {"mine": Mine})[0], Mine)


def test_the_name_of_another_network_is_refused(saved):
    rewrite(saved, lambda header: header.update(network="published", options={}))
    with pytest.raises(CheckpointError, match=r"expected|made for another network"):
        load_checkpoint(saved)


def test_a_network_of_another_width_is_refused(saved):
    rewrite(saved, lambda header: header["options"].update(widths=[4, 4, 12]))
    with pytest.raises(
        CheckpointError, match=r"tensor 'left\.weight' is .* of shape .*made for another network"
    ):
        load_checkpoint(saved)


def test_options_that_no_constructor_takes_are_refused(saved):
    rewrite(saved, lambda header: header["options"].update(depth=9))
    with pytest.raises(CheckpointError, match="does not take these options"):
        load_checkpoint(saved)


def test_another_number_of_channels_is_refused(saved):
    rewrite(saved, lambda header: header["normalisation"].update(mean=[0.0], scale=[1.0]))
    with pytest.raises(CheckpointError, match="1 scales for 13 input channels"):
        load_checkpoint(saved)


def test_a_scale_of_nought_is_refused(saved):
    rewrite(saved, lambda header: header["normalisation"].update(scale=[0.0] * 13))
    with pytest.raises(CheckpointError, match="a scale is not positive"):
        load_checkpoint(saved)


def test_a_count_that_the_network_does_not_have_is_refused(saved):
    rewrite(saved, lambda header: header.update(parameters=77))
    with pytest.raises(CheckpointError, match="the header says 77 parameters"):
        load_checkpoint(saved)


def test_a_missing_tensor_is_named(saved):
    retensor(saved, lambda tensors: {k: v for k, v in tensors.items() if k != "left.bias"})
    with pytest.raises(
        CheckpointError, match=r"tensor 'left\.bias' is absent, expected torch\.float32 of shape"
    ):
        load_checkpoint(saved)


def test_a_surplus_tensor_is_named(saved):
    retensor(saved, lambda tensors: {**tensors, "surplus": torch.zeros(2)})
    with pytest.raises(
        CheckpointError, match=r"tensor 'surplus' is torch.float32 of shape \(2,\), expected none"
    ):
        load_checkpoint(saved)


def test_weights_of_another_type_are_refused(saved):
    retensor(saved, lambda tensors: {k: v.double() for k, v in tensors.items()})
    with pytest.raises(CheckpointError, match=r"is torch\.float64 .* expected torch\.float32"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_refused(saved, value):
    retensor(saved, lambda tensors: {**tensors, "left.bias": torch.tensor([value])})
    with pytest.raises(CheckpointError, match=r"tensor 'left\.bias' holds values that are not finite"):
        load_checkpoint(saved)
