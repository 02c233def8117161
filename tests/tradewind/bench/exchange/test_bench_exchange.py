"""The benchmark of exchanges measures what it says: each measure is shown a case whose figure is known."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr

from tradewind.bench import BENCHMARKS
from tradewind.bench.exchange import checkpointing, example, kills, overhead
from tradewind.couplers.operators import MatrixOperator, Replicated
from tradewind.errors import DataError

# counts to ten in a restart file, a step at a time, and goes on from it; keeps how often it was begun
COUNTER = """
import sys, time
from pathlib import Path
import numpy as np
from netCDF4 import Dataset

folder, file, forgetful = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "forgetful"
folder.mkdir(exist_ok=True)
kept = folder / "counter.restart"
begun = folder / "begun"
begun.write_text(str(int(begun.read_text()) + 1 if begun.exists() else 1))
for n in range(int(kept.read_text()) if kept.exists() else 0, 10):
    part = folder / "part"
    part.write_text(str(n + 1))
    part.rename(kept)
    time.sleep(0.1)
with Dataset(file, "w") as out:
    out.createDimension("n", 1)
    value = int(begun.read_text()) if forgetful else 10
    out.createVariable("count", "i4", ("n",))[:] = np.array([value])
"""


def test_the_benchmark_has_a_name():
    assert BENCHMARKS["exchange"] == "tradewind.bench.exchange.exchange:figures"


# ---------------------------------------------------------------------- overhead
def test_the_run_that_is_timed_and_the_bare_loop_come_to_the_same():
    assert overhead.loop_matches_bare()


@pytest.mark.parametrize("timing", overhead.TIMINGS.values(), ids=overhead.TIMINGS.keys())
def test_every_exchange_of_the_chain_keeps_its_ledger(timing):
    run = overhead.chain(timing, steps=12)
    run.advance(run.clock.stop)
    periods = 12 if timing.every is None else 2
    assert len(run.ledger) == overhead.GAUGES * periods
    assert len(run.plan) == 6 * (overhead.GAUGES + 1)


# ---------------------------------------------------------------------- memory
def test_growth_is_the_exponent():
    assert checkpointing.growth({4: 20.0, 16: 40.0, 64: 80.0}) == pytest.approx(0.5)
    assert checkpointing.growth({4: 20.0, 16: 80.0, 64: 320.0}) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", checkpointing.KINDS)
def test_the_gradient_that_is_measured_is_right(kind):
    # steps 1 to 4 export 1, 2, 3, 4 times the rate; the gauge is given 0, 0 (before the start), 1.5, 1.5
    found = checkpointing.gradient(checkpointing.case(4), kind)
    assert found.shape == (1, 64_800)
    torch.testing.assert_close(found, torch.full_like(found, 3.0 * 3600.0), rtol=1e-15, atol=0)


# ---------------------------------------------------------------------- derivatives
class Half(MatrixOperator):
    """An operator whose adjoint is wrong by a half."""

    def adjoint(self, y):
        return 0.5 * super().adjoint(y)


def linear(kind):
    """Return what the dot test looks at of an assembly: three windows of a linear model."""
    generator = torch.Generator().manual_seed(1)
    matrices = [torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(3)]
    control = SimpleNamespace(prior=torch.ones(3, dtype=torch.float64))

    def linearize(x, window):
        return kind(matrices[window], Replicated(3), Replicated(5))

    model = SimpleNamespace(control=control, linearize=linearize)
    return SimpleNamespace(model=lambda: model, windows=range(3))


def test_an_exact_adjoint_passes_the_dot_test():
    assert example.dot_test(linear(MatrixOperator)) < 1e-15


def test_a_wrong_adjoint_fails_the_dot_test():
    assert example.dot_test(linear(Half)) > 1e-3


def cubic(wrong):
    """Return what the Taylor test looks at: J = Σ x² + x³ / 100, and its gradient times `wrong`."""

    def make(assembly):
        control = SimpleNamespace(prior=torch.ones(4, dtype=torch.float64))
        return Cubed(SimpleNamespace(control=control), wrong)

    return make


class Cubed:
    def __init__(self, model, wrong):
        self.model, self.wrong = model, wrong

    def __call__(self, x):
        return float((x.square() + 0.01 * x**3).sum())

    def gradient(self, x):
        return self.wrong * (2.0 * x + 0.03 * x.square())


def test_a_wrong_gradient_leaves_a_remainder_of_first_order(monkeypatch):
    monkeypatch.setattr(example, "Cost", cubic(3.0))
    assert example.slope(None) < 1.5


def test_a_right_gradient_is_within_the_aim(monkeypatch):
    monkeypatch.setattr(example, "Cost", cubic(1.0))
    assert abs(example.slope(None) - 2.0) < 0.02


# ---------------------------------------------------------------------- budget
def test_the_largest_residual_has_its_sign_taken_away_and_gaps_do_not_count(tmp_path):
    values = np.array([[1e-16, np.nan], [-3e-15, 2e-15]])
    xr.Dataset({"ledger_residual": (("period", "exchange"), values)}).to_netcdf(tmp_path / "a.nc")
    assert example.residual(tmp_path / "a.nc") == 3e-15
    assert example.entries(tmp_path / "a.nc") == 3


# ---------------------------------------------------------------------- kills
@pytest.fixture
def counter(tmp_path, monkeypatch):
    """Return a function that makes the benchmark kill a program that only counts."""
    (tmp_path / "counter.py").write_text(COUNTER)

    def use(kind="careful"):
        def arguments(file, restarts, resume=""):
            return [str(tmp_path / "counter.py"), str(restarts), str(file), kind]

        monkeypatch.setattr(kills, "arguments", arguments)
        whole = tmp_path / "whole.nc"
        kills.python(arguments(whole, tmp_path / "whole"))
        return whole

    return use


def test_a_program_that_goes_on_where_it_was_killed_is_counted(tmp_path, counter):
    found = kills.killed(tmp_path, counter(), Random(1), kills=3)
    assert (found["restart_kills"], found["restart_identical"]) == (3, 3)
    begun = sum(int(path.read_text()) for path in tmp_path.glob("round*/begun"))
    # really killed: begun once more than killed, in every round
    assert begun == 3 + found["restart_rounds"]


def test_a_program_that_does_not_come_to_the_same_is_found_out(tmp_path, counter):
    found = kills.killed(tmp_path, counter("forgetful"), Random(1), kills=2)
    assert (found["restart_kills"], found["restart_identical"]) == (2, 0)


def test_a_program_that_fails_of_itself_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "arguments", lambda *_: ["-c", "raise SystemExit('out of memory')"])
    with pytest.raises(DataError, match="out of memory"):
        kills.Round(tmp_path / "a.nc", tmp_path, Random(1)).killed_once()


def test_a_program_that_is_done_before_it_can_be_killed_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "arguments", lambda *_: ["-c", "pass"])
    with pytest.raises(DataError, match="done before"):
        kills.killed(tmp_path, tmp_path / "whole.nc", Random(1), kills=1)


def test_the_example_is_run_with_a_file_for_every_step(tmp_path):
    words = kills.arguments(tmp_path / "a.nc", tmp_path / "restart", "--resume")
    assert words[-1] == "--resume"
    assert {"run.restart.every=1h", f"run.restart.folder={tmp_path / 'restart'}"} <= set(words)
