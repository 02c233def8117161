"""Networks compiled ahead of time: what they compute, what they say, and when none is written."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from tradewind.errors import CheckpointError
from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import describe_columns, parse_columns, save_columns
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import MLP
from tradewind.surrogates.freezing import checking, package
from tradewind.surrogates.freezing.graph import FrozenColumns, joined, parted, quick_sigmoid, quick_tanh
from tradewind.surrogates.freezing.package import compiled, freeze, metadata

PROFILE = ColumnField(name="profile", units="kg kg-1", size=3, mean=(0.5,), scale=(2.0,))
LIGHT, FLUX = ColumnField(name="light", units="s-1"), ColumnField(name="flux", units="1", scale=(3.0,))


@pytest.fixture
def network() -> MLP:
    torch.manual_seed(0)
    return MLP((PROFILE, LIGHT), (FLUX, PROFILE), widths=(8, 5), output_activation="sigmoid").eval()


def header_of(network: MLP, **known) -> ColumnHeader:
    return ColumnHeader(**describe_columns(network), **known)


# ---------------------------------------------------------------------- what is compiled
def test_tanh_is_right_to_a_few_roundings():
    x = torch.linspace(-20, 20, 400_001)
    assert (quick_tanh(x).double() - torch.tanh(x.double())).abs().max() < 4e-7
    small = torch.logspace(-30, -3, 1000)
    assert (quick_tanh(small) / small - 1).abs().max() < 4e-7


def test_tanh_is_odd_and_ends_at_one():
    x = torch.tensor([0.3, 5.0, 1e30, torch.inf])
    assert torch.equal(quick_tanh(-x), -quick_tanh(x))
    assert quick_tanh(x)[2:].tolist() == pytest.approx([1.0, 1.0], abs=4e-7)
    assert quick_tanh(torch.tensor(torch.nan)).isnan()


def test_sigmoid_follows_from_it():
    x = torch.linspace(-30, 30, 10_001)
    assert (quick_sigmoid(x).double() - torch.sigmoid(x.double())).abs().max() < 3e-7


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_graph_is_the_network(network, dtype):
    network = network.to(dtype)
    x = torch.randn(4, 50, dtype=dtype)
    found = joined(network.outputs, FrozenColumns(network)(*parted(network.inputs, x)))
    torch.testing.assert_close(found, network(x), rtol=0, atol=1e-5 if dtype is torch.float32 else 1e-14)


def test_fields_are_joined_in_the_declared_order():
    profile, light = torch.arange(6.0).view(3, 2), torch.tensor([7.0, 8.0])
    features = joined((PROFILE, LIGHT), (profile, light))
    assert features.tolist() == [[0, 1], [2, 3], [4, 5], [7, 8]]
    assert all(map(torch.equal, parted((PROFILE, LIGHT), features), (profile, light)))


# ---------------------------------------------------------------------- what it says of itself
def test_the_metadata_hold_the_header_and_its_lines(network):
    told = metadata(header_of(network, seed=4))
    assert parse_columns(told["tradewind"], "package").seed == 4
    assert told["tradewind.fields"].splitlines() == [
        "import\tprofile\tkg kg-1\treal32\t3",
        "import\tlight\ts-1\treal32\t0",
        "export\tflux\t1\treal32\t0",
        "export\tprofile\tkg kg-1\treal32\t3",
    ]
    assert told["tradewind.domain"] == ""


def test_the_domain_is_written_to_the_last_digit(network):
    domain = fit_columns(torch.randn(4, 100)).bounds()
    numbers = [float(w) for w in metadata(header_of(network, domain=domain))["tradewind.domain"].split()]
    box = [v for three in zip(domain.lower, domain.upper, domain.centre, strict=True) for v in three]
    assert numbers == [domain.distance, *box, *(v for row in domain.whitening for v in row)]


# ---------------------------------------------------------------------- when none is written
@pytest.fixture
def uncompiled(monkeypatch):
    """Return a function that lets freezing go on with something else than a compiled network."""

    def instead(answer) -> None:
        monkeypatch.setattr(package, "compiled", lambda network, header, path: path.write_bytes(b"code"))
        monkeypatch.setattr(checking, "loaded", lambda path, header: answer)

    return instead


def test_a_package_that_agrees_is_written(network, tmp_path, uncompiled):
    save_columns(tmp_path / "n.safetensors", network)
    uncompiled(lambda x: network(x) * (1 + 1e-7))
    done = freeze(tmp_path / "n.safetensors", tmp_path / "n.pt2")
    assert (tmp_path / "n.pt2").read_bytes() == b"code"
    assert done.agreement.apart < 1e-6
    assert json.dumps(done.figures(), default=str)


@pytest.mark.parametrize("wrong", [lambda y: 1.001 * y, lambda y: y * torch.nan, lambda y: y.flip(1)])
def test_a_package_that_does_not_agree_is_not(network, tmp_path, uncompiled, wrong):
    save_columns(tmp_path / "n.safetensors", network)
    uncompiled(lambda x: wrong(network(x)))
    with pytest.raises(CheckpointError, match="from the truth"):
        freeze(tmp_path / "n.safetensors", tmp_path / "n.pt2")
    assert not (tmp_path / "n.pt2").exists()


def test_columns_are_drawn_from_the_domain(network):
    domain = fit_columns(5 + torch.rand(4, 100)).bounds()
    for x in checking.samples(network, header_of(network, domain=domain)):
        assert ((x >= 4.8) & (x <= 6.2)).all()


@pytest.mark.slow
def test_without_a_compiler_it_says_so(network, tmp_path, monkeypatch):
    from torch._inductor import exc

    def fail(*given, **options):
        raise exc.InvalidCxxCompiler

    monkeypatch.setattr("torch._inductor.aoti_compile_and_package", fail)
    monkeypatch.setattr(torch.export, "export", lambda *given, **options: SimpleNamespace())
    with pytest.raises(CheckpointError, match="compiler"):
        compiled(network, header_of(network), tmp_path / "n.pt2")


# ---------------------------------------------------------------------- the whole way
@pytest.mark.slow
def test_a_compiled_network_gives_the_same_to_rounding(network, tmp_path):
    save_columns(tmp_path / "n.safetensors", network)
    done = freeze(tmp_path / "n.safetensors", tmp_path / "n.pt2")
    assert done.agreement.package < 1e-5
    ask, x = checking.loaded(done.path, done.header), torch.randn(4, 300)
    whole = ask(x)
    torch.testing.assert_close(whole, network(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(torch.cat([ask(x[:, :100].contiguous()), ask(x[:, 100:].contiguous())], 1), whole)
