"""A run kept in a file goes on as if it had never stopped, or says why it cannot."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tradewind.couplers.coupling.fields import State
from tradewind.errors import DataError, SpecError


@pytest.fixture
def half_way(make_chain, toys):
    run = make_chain(toys.Leaky, toys.FINE, members=2)
    run.put("source.flux", toys.draw(2, 4))
    run.advance(toys.at(3))
    return run


def test_a_restored_run_goes_on_with_the_same_bits(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    half_way.advance(toys.at(6))
    again = make_chain(toys.Leaky, toys.FINE, members=2)
    again.restore(tmp_path / "run.safetensors")
    assert again.time == toys.at(3)
    again.advance(toys.at(6))
    for port in ("tank.level", "tank.amount", "tank.inflow", "source.flux"):
        assert torch.equal(again.get(port), half_way.get(port))


def test_exports_can_be_read_before_the_next_step(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    again = make_chain(toys.Leaky, toys.FINE, members=2)
    again.restore(tmp_path / "run.safetensors")
    assert torch.equal(again.get("tank.level"), half_way.get("tank.level"))


def test_extras_come_back_as_they_were(make_chain, toys, tmp_path):
    class Counting(toys.Tank):
        def step(self, state, imports, parameters, interval):
            exports, new = super().step(state, imports, parameters, interval)
            count = state.extras.get("count", 0) + 1
            return exports, State(new.fields, {"count": count, "stream": ["a", 1.5, None]})

    run, again = make_chain(Counting), make_chain(Counting)
    run.advance(toys.at(2))
    run.save(tmp_path / "run.safetensors")
    again.restore(tmp_path / "run.safetensors")
    assert again.moment.states["tank"].extras == {"count": 2, "stream": ["a", 1.5, None]}
    again.advance(toys.at(3))
    assert again.moment.states["tank"].extras["count"] == 3


@pytest.mark.parametrize("extra", [object(), (1, 2), float("nan"), {1: "a"}])
def test_extras_that_would_not_come_back_are_refused(make_chain, toys, tmp_path, extra):
    run = make_chain()
    state = run.moment.states["tank"]
    run.moment.states["tank"] = State(state.fields, {"handle": extra})
    with pytest.raises(SpecError, match="component 'tank': its state's extras are no plain values"):
        run.save(tmp_path / "run.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_the_header_says_what_is_not_carried(half_way, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    with safe_open(tmp_path / "run.safetensors", framework="pt") as file:
        header = json.loads(file.metadata()["tradewind-run"])
    assert "not the tape" in header["carries"]
    assert header["time"] == "2000-01-01T03:00:00"


def test_an_open_tape_starts_anew(half_way, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    with half_way.recording() as tape:
        half_way.advance(toys.at(4))
        half_way.restore(tmp_path / "run.safetensors")
        assert len(tape) == 0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"members": 3}, "members is '3' in this run, '2' in the file"),
        ({"grid": "COARSE"}, r"import tank\.inflow is .*2x2.* in this run, .*4x3"),
        ({"tank": "Wider"}, r"state tank\.more is .* in this run, 'absent' in the file"),
    ],
)
def test_the_file_of_another_run_is_refused(half_way, make_chain, toys, tmp_path, change, what):
    class Wider(toys.Leaky):
        def describe(self):
            spec = super().describe()
            more = toys.Variable("more", "kg", self.grid)
            return toys.Spec(spec.imports, spec.exports, (*spec.state, more), spec.parameters)

        def initialize(self, spec, layouts, members):
            zeros = torch.zeros(members, layouts["more"].n_local, dtype=torch.float64)
            return State({"amount": zeros, "more": zeros})

    kinds = {"Wider": Wider, "COARSE": toys.COARSE}
    keywords = {"tank": toys.Leaky, "grid": toys.FINE, "members": 2}
    other = make_chain(**keywords | {k: kinds.get(v, v) for k, v in change.items()})
    half_way.save(tmp_path / "run.safetensors")
    with pytest.raises(DataError, match=f"holds another run: {what}"):
        other.restore(tmp_path / "run.safetensors")
    assert other.time == toys.START


def test_a_run_that_ends_earlier_is_refused(half_way, make_chain, toys, tmp_path):
    half_way.save(tmp_path / "run.safetensors")
    short = make_chain(toys.Leaky, toys.FINE, members=2, hours=2)
    with pytest.raises(DataError, match="stands at 2000-01-01 03:00:00, this run stops at"):
        short.restore(tmp_path / "run.safetensors")


def test_a_truncated_file_is_refused(half_way, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"run\.safetensors: is damaged"):
        half_way.restore(path)


def test_changed_numbers_are_noticed(half_way, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="its numbers are not those that were saved"):
        half_way.restore(path)


def test_a_file_of_something_else_is_refused(half_way, tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "net.safetensors")
    with pytest.raises(DataError, match="is no saved run"):
        half_way.restore(tmp_path / "net.safetensors")
    with pytest.raises(DataError, match="no such file"):
        half_way.restore(tmp_path / "missing.safetensors")


def test_a_folder_that_is_not_there_is_named_and_nothing_is_left(half_way, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        half_way.save(tmp_path / "nowhere" / "run.safetensors")


def test_an_older_file_is_replaced_whole(half_way, toys, tmp_path):
    path = tmp_path / "run.safetensors"
    half_way.save(path)
    before = load_file(path)
    half_way.advance(toys.at(4))
    half_way.save(path)
    assert not torch.equal(load_file(path)["state:tank.amount"], before["state:tank.amount"])
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]
