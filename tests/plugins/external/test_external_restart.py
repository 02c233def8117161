"""A coupled run with an external model that was saved goes on as if it had never stopped."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

import pytest
import torch
from safetensors.torch import load_file

from tradewind.coupled.run import CoupledRun
from tradewind.coupled.tape import Participant
from tradewind.couplers.coupling.component import Step
from tradewind.couplers.coupling.time.clock import Clock
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import DataError
from tradewind.plugins.external.derivatives import external
from tradewind.plugins.external.options import ExternalOptions

START, HOUR = datetime(2000, 1, 1), timedelta(hours=1)
COUNTS = "echo more >> memory.bin; cp answer.nc output.nc"


def run_of(options, members=2):
    model = external(options)
    spec = model.describe()
    variables = (*spec.imports, *spec.exports, *spec.state)
    layouts = {v.name: Layout(v.grid) for v in variables if v.grid is not None}

    def answer(call):
        return Step(*model.step(call.state, call.imports, call.parameters, call.interval))

    participant = Participant("pond", model, spec, answer, layouts, model.defaults(layouts))
    return CoupledRun(Clock(START, START + 4 * HOUR, HOUR), [participant], [], members)


@pytest.fixture
def counting(script):
    options = script(COUNTS, restart=[{"file": "memory.bin"}])
    (options.template / "memory.bin").write_bytes(b"\x00\xff begin\n")
    return options


def lines(run):
    return [
        kept.contents()["memory.bin"].count(b"more") for kept in run.moment.states["pond"].extras["restart"]
    ]


def test_restart_files_are_in_the_file_and_come_back(counting, tmp_path):
    run, again = run_of(counting), run_of(counting)
    run.advance(START + 2 * HOUR)
    run.save(tmp_path / "run.safetensors")
    shutil.rmtree(counting.scratch)  # another machine
    counting.scratch.mkdir()
    again.restore(tmp_path / "run.safetensors")
    assert lines(again) == [2, 2]
    again.advance(START + 4 * HOUR)
    assert lines(again) == [4, 4]
    kept = again.moment.states["pond"].extras["restart"][0]
    assert kept.contents()["memory.bin"].startswith(b"\x00\xff begin\nmore\n")


def test_a_file_of_no_bytes_comes_back(counting, tmp_path):
    (counting.template / "memory.bin").write_bytes(b"")
    run = run_of(counting)
    run.save(tmp_path / "run.safetensors")
    assert load_file(tmp_path / "run.safetensors")["memory:pond.1/memory.bin"].shape == (0,)
    run.restore(tmp_path / "run.safetensors")
    assert lines(run) == [0, 0]


def test_the_file_of_a_model_with_other_restart_files_is_refused(counting, script, tmp_path):
    run = run_of(counting)
    run.save(tmp_path / "run.safetensors")
    other = run_of(counting.model_copy(update={"restart": ()}))
    with pytest.raises(DataError, match=r"holds files that the model does not carry: memory\.bin"):
        other.restore(tmp_path / "run.safetensors")


def test_a_model_without_restart_files_is_saved_too(script, tmp_path):
    run = run_of(script())
    run.advance(START + HOUR)
    run.save(tmp_path / "run.safetensors")
    again = run_of(script())
    again.restore(tmp_path / "run.safetensors")
    again.advance(START + 2 * HOUR)
    assert torch.equal(again.get("pond.level"), run.get("pond.level"))


def test_a_fortran_model_goes_on_with_the_same_bits(box, tmp_path):
    run, again = (run_of(ExternalOptions(**box)) for _ in range(2))
    flow = torch.full((2, 12), 1e-4, dtype=torch.float64)
    run.put("pond.inflow", flow)
    run.advance(START + 2 * HOUR)
    run.save(tmp_path / "run.safetensors")
    run.advance(START + 4 * HOUR)
    again.restore(tmp_path / "run.safetensors")
    again.advance(START + 4 * HOUR)
    for port in ("pond.level", "pond.amount", "pond.elapsed"):
        assert torch.equal(run.get(port), again.get(port))
    assert run.get("pond.elapsed").tolist() == [4 * 3600.0] * 2
