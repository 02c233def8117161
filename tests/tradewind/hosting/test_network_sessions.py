"""A network's file, opened without a run config: what a host may put, bind, run and get."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import CheckpointError, DomainError
from tradewind.hosting import entry
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.network import open_network
from tradewind.surrogates.columns.domain import fit_columns
from tradewind.surrogates.columns.files import describe_columns, load_columns, save_columns
from tradewind.surrogates.columns.header import ColumnField, ColumnHeader
from tradewind.surrogates.columns.network import MLP

PROFILE, LIGHT = ColumnField(name="x", units="m", size=16), ColumnField(name="t", units="K")
ANSWER = ColumnField(name="y", units="1", size=8)
WHOLE = (None, 0, False, False)


def saved(path, inputs=(PROFILE,), domain=None, double=False):
    torch.manual_seed(0)
    network = MLP(inputs, (ANSWER,))
    network = network.double() if double else network
    save_columns(path, network, ColumnHeader(**describe_columns(network), domain=domain))
    return path


@pytest.fixture
def opened(tmp_path):
    def make(**how):
        path = saved(tmp_path / "net.safetensors", **how)
        session = open_network(str(path), Serial())
        return session.component("network"), load_columns(path)[0]

    return make


def random(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def expected(network, *fields):
    x = np.concatenate([f.reshape(-1, f.shape[-1]) for f in fields])
    return network(torch.from_numpy(x)).numpy()


def code_of(error):
    return error.value.code


def test_put_run_get(opened):
    part, network = opened()
    x, y = random(16, 30), np.zeros((8, 30), np.float32)
    part.put(0, "x", memoryview(x), *WHOLE)
    part.run(0.0, 1.0)
    part.get(0, "y", memoryview(y), *WHOLE)
    np.testing.assert_allclose(y, expected(network, x), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("columns", [1, 16, 1000, 3000])
def test_what_is_bound_is_computed_on_where_it_lies(opened, columns):
    part, network = opened()
    x, y = random(16, columns), np.zeros((8, columns), np.float32)
    part.bind("x", memoryview(x), *WHOLE)
    part.bind("y", memoryview(y), *WHOLE)
    for seed in (1, 2):
        x[:] = random(16, columns, seed=seed)
        part.run(0.0, 1.0)
        np.testing.assert_allclose(y, expected(network, x), rtol=1e-4, atol=1e-6)


def test_several_fields_and_blocks_of_columns(opened):
    part, network = opened(inputs=(PROFILE, LIGHT))
    x, t, y = random(16, 20), random(20, seed=1), np.zeros((8, 20), np.float32)
    part.set_grid(np.arange(1, 21), np.zeros(20), np.zeros(20))
    for first in (1, 8, 15):
        block = slice(first - 1, min(first + 6, 20))
        part.put(0, "x", x[:, block], None, first, False, False)
        part.put(0, "t", t[block], None, first, False, False)
    part.run(0.0, 1.0)
    part.get(0, "y", memoryview(y), *WHOLE)
    np.testing.assert_allclose(y, expected(network, x, t), rtol=1e-4, atol=1e-6)


def test_fields_are_told_as_fortran_sees_them(opened):
    part, _ = opened(inputs=(PROFILE, LIGHT))
    assert part.fields() == [("x", "m", 1, 1, (0, 16)), ("t", "K", 1, 1, (0,)), ("y", "1", 2, 1, (0, 8))]
    part.put(0, "t", random(5), *WHOLE)
    assert part.fields()[0][4] == (5, 16)


def test_another_number_of_columns_begins_anew(opened):
    part, _ = opened(inputs=(PROFILE, LIGHT))
    part.put(0, "x", random(16, 5), *WHOLE)
    part.put(0, "t", random(6), *WHOLE)
    with pytest.raises(CallError, match="has not been put") as error:
        part.run(0.0, 1.0)
    assert code_of(error) is Code.FIELD


def test_a_rank_without_columns_runs(opened):
    part, _ = opened()
    part.set_grid(np.zeros(0, int), np.zeros(0), np.zeros(0))
    part.run(0.0, 1.0)
    part.get(0, "y", np.zeros((8, 0), np.float32), *WHOLE)


@pytest.mark.parametrize(
    ("name", "array", "how", "code"),
    [
        ("x", random(16, 4, dtype=np.float64), WHOLE, Code.KIND),
        ("x", random(15, 4), WHOLE, Code.SHAPE),
        ("x", random(16, 4), ("km", 0, False, False), Code.UNITS),
        ("z", random(16, 4), WHOLE, Code.FIELD),
        ("y", random(8, 4), WHOLE, Code.FIELD),
        ("x", random(16, 4), (None, 2, False, False), Code.ORDER),
    ],
)
def test_what_does_not_fit_is_named(opened, name, array, how, code):
    part, _ = opened()
    with pytest.raises(CallError) as error:
        part.put(0, name, array, *how)
    assert code_of(error) is code


def test_units_and_kinds_are_converted_when_asked(opened):
    part, network = opened()
    x, y = random(16, 4, dtype=np.float64), np.zeros((8, 4))
    part.put(0, "x", 1e-3 * x, "km", 0, True, True)
    part.run(0.0, 1.0)
    part.get(0, "y", y, None, 0, True, False)
    np.testing.assert_allclose(y, expected(network, x.astype(np.float32)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("call", [lambda p: p.run(0.0, 1.0), lambda p: p.tangent(), lambda p: p.dot_test()])
def test_calls_too_early_are_named(opened, call):
    with pytest.raises(CallError) as error:
        call(opened()[0])
    assert code_of(error) is Code.ORDER


def test_columns_outside_the_domain_are_refused(opened):
    domain = fit_columns(torch.randn(16, 400, generator=torch.Generator().manual_seed(0))).bounds()
    part, _ = opened(domain=domain)
    x = np.zeros((16, 4), np.float32)
    part.put(0, "x", x, *WHOLE)
    part.run(0.0, 1.0)
    x[3, 2] = 50
    part.put(0, "x", x, *WHOLE)
    with pytest.raises(DomainError, match="first is 3"):
        part.run(0.0, 1.0)


def test_derivatives_are_those_of_the_network(opened):
    part, network = opened(double=True)
    x, u, v = (random(*shape, seed=s, dtype=np.float64) for s, shape in enumerate([(16, 9), (16, 9), (8, 9)]))
    part.put(0, "x", x, *WHOLE)
    part.run(0.0, 1.0)
    part.put(1, "x", u, *WHOLE)
    part.tangent()
    part.put(2, "y", v, *WHOLE)
    part.adjoint()
    forward, backward = np.zeros((8, 9)), np.zeros((16, 9))
    part.get(1, "y", forward, *WHOLE)
    part.get(2, "x", backward, *WHOLE)
    ahead = network(torch.from_numpy(x + 1e-6 * u)) - network(torch.from_numpy(x - 1e-6 * u))
    np.testing.assert_allclose(forward, ahead.numpy() / 2e-6, rtol=1e-6, atol=1e-8)
    assert (forward * v).sum() == pytest.approx((u * backward).sum(), rel=1e-12)
    assert part.dot_test() < 1e-14


def test_the_session_has_one_component_and_no_time(tmp_path):
    session = entry.open(str(saved(tmp_path / "net.safetensors")), None)
    assert session.component("network") is session.component("network")
    with pytest.raises(CallError) as error:
        session.component("net")
    assert code_of(error) is Code.FIELD
    with pytest.raises(CallError, match="does not advance") as error:
        session.advance(3600.0)
    assert code_of(error) is Code.UNSUPPORTED
    session.close()


def test_a_package_is_for_the_other_engine(tmp_path):
    with pytest.raises(CallError) as error:
        open_network(str(tmp_path / "net.pt2"), Serial())
    assert code_of(error) is Code.UNSUPPORTED


def test_a_file_that_is_no_network_is_named(tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="truncated"):
        open_network(str(tmp_path / "net.safetensors"), Serial())
