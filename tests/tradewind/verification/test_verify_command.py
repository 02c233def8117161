"""The command on run configs of its own."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tradewind.cli import app
from tradewind.coupled.derivatives.steps import step_gradient
from tradewind.errors import ConfigError
from tradewind.output.terminal.verification import verification_figures, verification_table
from tradewind.verification import subjects
from tradewind.verification.findings import Finding, Outcome, Verification
from tradewind.verification.verify import verify

LORENZ = """
run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}
components:
  atmosphere: {plugin: lorenz-96, options: {size: 8}}
"""
DRIFTS = '''
import torch
from tradewind.couplers.coupling.fields import Spec, State, Variable
from tradewind.markers import hookimpl
from tradewind.plugins.options import Options

X = Variable("x", "1", extra=(("n", 3),))

class Nothing(Options):
    """Nothing to choose."""

class Drifts:
    def __init__(self, options):
        pass
    def describe(self):
        return Spec(exports=(X,), state=(X,))
    def initialize(self, spec, layouts, members):
        return State({"x": torch.ones(members, 3, dtype=torch.float64)})
    def step(self, state, imports, parameters, interval):
        x = state.fields["x"].mul_(0.5)
        return {"x": x}, State({"x": x.clone()})
    def finalize(self):
        pass
'''


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "lorenz.yaml"
    path.write_text(LORENZ)
    return path


def printed(found):
    console = Console(file=io.StringIO(), width=80)
    console.print(verification_table(found), highlight=False)
    return console.file.getvalue()


def test_a_model_and_its_run_pass(config):
    found = verify(config)
    assert {f.subject for f in found.findings} == {"atmosphere", "coupled run"}
    assert {f.outcome for f in found.findings} == {Outcome.PASSED}


def test_the_command_exits_with_0_and_prints_json(config):
    done = CliRunner().invoke(app, ["verify", str(config), "--component", "atmosphere", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["passed"] is True
    assert len(told["findings"]) == 8
    slope = next(f for f in told["findings"] if f["check"] == "gradient (Taylor)")
    assert slope["note"] == "slope 2.00"
    assert len(slope["series"]["length"]) == 12


def test_the_command_exits_with_1_where_a_check_fails(config, monkeypatch):
    def twice(taken, cotangents, comm=None):
        return {key: 2.0 * value for key, value in step_gradient(taken, cotangents, comm).items()}

    monkeypatch.setattr(subjects, "step_gradient", twice)
    done = CliRunner().invoke(app, ["verify", str(config), "--component", "atmosphere"])
    assert done.exit_code == 1, done.output
    assert "failed" in done.stdout
    assert "atmosphere, adjoint dot product" in done.stdout


def test_a_name_that_is_not_there_is_refused(config):
    with pytest.raises(ConfigError, match="atmosphere"):
        verify(config, component="atmosfere")


def test_a_run_that_cannot_be_made_is_told(tmp_path):
    path = tmp_path / "open.yaml"
    path.write_text(
        "run: {start: 2000-01-01, stop: 2000-01-02, step: 6h}\n"
        "plugins: [drifts.py]\n"
        "components: {box: {plugin: drifts}}\n"
    )
    (tmp_path / "drifts.py").write_text(PLUGIN)
    found = verify(path)
    failed = {(f.subject, f.check) for f in found.failed}
    assert {("box", "state is a value"), ("coupled run", "runs")} <= failed
    assert "in place" in next(f.note for f in found.failed if f.check == "runs")
    assert found.notes


PLUGIN = (
    DRIFTS
    + """
@hookimpl
def tradewind_register_component(register):
    register("drifts", factory=f"{__name__}:Drifts", options=f"{__name__}:Nothing", summary="halves")
"""
)


class TestTable:
    def test_fits_into_80_columns_and_says_what_to_look_at(self):
        found = Verification("run", [
            Finding("transport", "tangent convergence", Outcome.PASSED, 1.2e-9, 1e-7, "order 1.00"),
            Finding("transport", "adjoint dot product", Outcome.FAILED, 0.5, 1e-14, advice="the sign?"),
            Finding("soil", "gradient (Taylor)", Outcome.SKIPPED, note="has no adjoint"),
        ])  # fmt: skip
        text = printed(found)
        assert max(len(line) for line in text.splitlines()) <= 80
        for line in ("1.2 × 10⁻⁹", "order 1.00", "has no adjoint", "the sign?",
                     "1 passed, 1 failed, 1 skipped"):  # fmt: skip
            assert line in text

    def test_what_is_not_finite_is_null_for_programs(self):
        found = Verification("run", [Finding("a", "b", Outcome.FAILED, float("nan"), 1.0)])
        assert (
            json.loads(json.dumps(verification_figures(found), allow_nan=False))["findings"][0]["figure"]
            is None
        )
