"""What a component brings into a restart file itself."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from tradewind.couplers.coupling.fields import PerMember, State
from tradewind.errors import DataError, SpecError


@pytest.fixture
def scribe(toys):
    """Return a tank that writes down what flows in, by member, in words that are no plain values."""

    class Scribe(toys.Tank):
        def initialize(self, spec, layouts, members):
            state = super().initialize(spec, layouts, members)
            return State(state.fields, {"book": PerMember([b""] * members)})

        def step(self, state, imports, parameters, interval):
            exports, new = super().step(state, imports, parameters, interval)
            inflow = imports["inflow"].sum(-1).tolist()
            lines = (b"%d;" % round(amount) for amount in inflow)
            book = (old + line for old, line in zip(state.extras["book"], lines, strict=True))
            return exports, State(new.fields, {"book": PerMember(book)})

        def save_state(self, state):
            return {f"page.{k}:1": text for k, text in enumerate(state.extras["book"])}

        def load_state(self, fields, saved):
            if not saved:
                raise DataError("the book is lost")
            return State(fields, {"book": PerMember(saved[f"page.{k}:1"] for k in range(len(saved)))})

    return Scribe


def test_it_goes_into_the_file_as_bytes_and_comes_back(make_chain, toys, scribe, tmp_path):
    run, again = make_chain(scribe, members=2), make_chain(scribe, members=2)
    run.put("source.flux", torch.tensor([[1.0] * 4, [2.0] * 4], dtype=torch.float64))
    run.advance(toys.at(2))
    run.save(tmp_path / "run.safetensors")
    kept = load_file(tmp_path / "run.safetensors")["memory:tank.page.1:1"]
    assert (kept.dtype, bytes(kept.tolist())) == (torch.uint8, b"8;8;")
    again.restore(tmp_path / "run.safetensors")
    assert again.moment.states["tank"].extras["book"] == (b"4;4;", b"8;8;")
    again.advance(toys.at(3))
    assert again.moment.states["tank"].extras["book"] == (b"4;4;4;", b"8;8;8;")


def test_bytes_that_have_changed_are_noticed(make_chain, toys, scribe, tmp_path):
    run = make_chain(scribe)
    run.advance(toys.at(2))
    path = tmp_path / "run.safetensors"
    run.save(path)
    content = path.read_bytes()
    assert content.count(b"8;8;") == 1
    path.write_bytes(content.replace(b"8;8;", b"8;9;"))
    with pytest.raises(DataError, match="its numbers are not those that were saved"):
        run.restore(path)


def test_a_component_may_refuse_what_it_is_given_back(make_chain, toys, scribe, tmp_path):
    make_chain(toys.Tank).save(tmp_path / "run.safetensors")
    with pytest.raises(DataError, match="the book is lost"):
        make_chain(scribe).restore(tmp_path / "run.safetensors")


def test_without_help_such_extras_are_refused(make_chain, toys, scribe, tmp_path):
    class Silent(scribe):
        save_state = property()

    with pytest.raises(SpecError, match="component 'tank': its state's extras are no plain values"):
        make_chain(Silent).save(tmp_path / "run.safetensors")
