"""A transport model in Fortran whose chemistry is a surrogate's by one setting: the bits of Python's run."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.component import Interval
from tradewind.couplers.coupling.fields import State
from tradewind.couplers.grids import Grid
from tradewind.plugins.network.component import NetworkComponent
from tradewind.plugins.network.options import NetworkOptions

ROOT = Path(__file__).parents[3]
DRIVER = ROOT / "fortran_stubs" / "drivers" / "transport.f90"
NETWORK = ROOT / "examples" / "photochemistry.safetensors"
CONFIG = ROOT / "examples" / "photochemistry.yaml"
NX, NY, STEPS, SECONDS = 24, 17, 6, 600.0


RUNS = {
    "own": {"last_rank": 0},
    "alone": {"config": CONFIG, "last_rank": 0},
    "together": {"config": CONFIG},
    "sub-communicator": {"config": CONFIG, "block": 100, "first_rank": 1},
    "zero-columns": {"config": CONFIG, "idle": 1},
    "network-alone": {"config": NETWORK, "last_rank": 0},
    "network-together": {"config": NETWORK, "idle": 1},
}
"""Settings of each run; all are made by one start of two ranks, since a start costs more than a run."""


def launched(runs: dict[str, dict[str, object]], program: Path, launch, folder: Path, ranks: int):
    """Return fields, shape (species, row, column), and the total of nitrogen of each run."""
    for name, chosen in runs.items():
        quoted = {k: repr(str(v)) if isinstance(v, Path) else v for k, v in chosen.items()}
        text = ", ".join(f"{k}={v}" for k, v in quoted.items())
        (folder / f"{name}.nml").write_text(f"&transport output='{name}.bin', {text} /\n")
    said = launch(program, *(f"{name}.nml" for name in runs), ranks=ranks, timeout=250).stdout
    totals = [float(line.split()[1]) for line in said.splitlines()]
    fields = [np.fromfile(folder / f"{name}.bin").reshape(3, NY, NX) for name in runs]
    return dict(zip(runs, zip(fields, totals, strict=True), strict=True))


@pytest.fixture(scope="session")
def kept() -> dict[str, object]:
    return {}


@pytest.fixture
def transport(compile_host, launch, tmp_path, kept):
    """Return what all of `RUNS` gave."""
    if "tried" not in kept:
        kept["tried"] = True
        kept.update(launched(RUNS, compile_host(DRIVER, "-ffp-contract=off"), launch, tmp_path, 2))
    if "own" not in kept:
        pytest.fail("the driver has failed, see the first test")
    return kept


# ---------------------------------------------------------------------- the same model in Python
def carried(c: np.ndarray) -> np.ndarray:
    """Carry (species, row, column) eastwards, then northwards, by the driver's operations in its order."""
    courant = (0.2 + 0.02 * np.arange(1, NY + 1))[:, None]
    c = c - courant * (c - np.roll(c, 1, axis=-1))
    out = 0.02 * c
    out[:, -1] = 0.0
    into = np.concatenate([np.zeros((3, 1, NX)), out[:, :-1]], axis=1)
    return c - (out - into)


def light(time: float) -> np.ndarray:
    hour = np.mod(time / 3600 + np.arange(NX) * 24.0 / NX, 24.0)
    return np.broadcast_to(0.008 * np.maximum(0.0, 1 - ((hour - 12) / 6) ** 2), (NY, NX))


def exact(c: np.ndarray, rates: np.ndarray, rate: float = 4.4e-4) -> np.ndarray:
    no, no2, o3 = c
    p, q = rates + rate * (no + o3), rates * no2 - rate * no * o3
    s = np.sqrt(p * p + 4 * rate * q)
    t = np.tanh(0.5 * s * SECONDS)
    return 2 * q * t / (s + p * t)


def by_network(c: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Ask the component of the run config, in its own precision, as the driver does."""
    imports = {
        "mixing_ratio": torch.tensor(c.reshape(1, 3, -1)).float(),
        "photolysis_rate": torch.tensor(rates.reshape(1, -1).copy()).float(),
    }
    start = datetime(2000, 1, 1)
    interval = Interval(start, start + timedelta(seconds=SECONDS))
    exports, _ = component().step(State(), imports, {}, interval)
    return exports["conversion"].double().numpy().reshape(NY, NX)


@cache
def component() -> NetworkComponent:
    made = NetworkComponent(NetworkOptions(checkpoint=NETWORK))
    made.adopt(Grid.points(np.zeros(NX * NY), np.zeros(NX * NY)))
    return made


def python_run(chemistry) -> np.ndarray:
    c = np.stack([np.full((NY, NX), v) for v in (0.5, 2.0, 40.0)])
    for number in range(STEPS):
        c[0, 5, 8] += 2
        c = carried(c)
        x = chemistry(c, light(number * SECONDS))
        c = c + np.stack([x, -x, x])
    return c


# ---------------------------------------------------------------------- what it shows
def test_its_own_chemistry_is_that_of_the_python_model(transport):
    np.testing.assert_allclose(transport["own"][0], python_run(exact), rtol=1e-12, atol=1e-12)


@pytest.mark.mpi
@pytest.mark.parametrize("name", [name for name in RUNS if name != "own"])
def test_the_surrogate_gives_the_bits_of_the_python_run(transport, name):
    assert np.array_equal(transport[name][0], python_run(by_network))


@pytest.mark.parametrize("name", RUNS)
def test_nitrogen_is_kept(transport, name):
    # 408 cells of 2.5, and a town that emits 2 at every step
    assert transport[name][1] == pytest.approx(408 * 2.5 + STEPS * 2, rel=1e-13)


def test_the_surrogate_stands_for_the_chemistry(transport):
    chemistry, surrogate = transport["own"][0], transport["alone"][0]
    change = np.abs(chemistry[2] - python_run(lambda c, rates: 0 * rates)[2]).max()
    assert change > 1
    assert np.abs(surrogate - chemistry).max() < 0.05 * change


@pytest.mark.slow
@pytest.mark.mpi
def test_four_ranks_give_the_same_bits(compile_host, launch, tmp_path):
    runs = {"four": {"config": CONFIG}, "last": {"config": CONFIG, "first_rank": 1, "idle": 1}}
    found = launched(runs, compile_host(DRIVER, "-ffp-contract=off"), launch, tmp_path, 4)
    for fields, _ in found.values():
        assert np.array_equal(fields, python_run(by_network))
