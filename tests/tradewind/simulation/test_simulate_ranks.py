"""A forward run on several ranks writes the numbers of the serial one, to the bit, broken off or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.execute import execute

PROGRAM = Path(__file__).parent / "programs" / "simulate_ranks.py"
QUARTERS = "run.window=6h"
"""Four windows; only two of them have observations."""
EVERY_HOUR = "run.restart={folder: restart, every: 1h}"

pytestmark = pytest.mark.mpi


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Return every variable of the root group as it is stored."""
    with xr.open_dataset(path, decode_cf=False) as ds:
        return {str(name): v.values for name, v in ds.variables.items()}


@pytest.fixture
def serial(toy_run) -> dict[str, np.ndarray]:
    path = toy_run(folder="serial")
    execute(path, [QUARTERS])
    return numbers(path.with_name("forward.nc"))


def check_same(path: Path, serial: dict[str, np.ndarray]) -> None:
    found = numbers(path.with_name("forward.nc"))
    assert len(serial) > 20
    assert serial.keys() == found.keys()
    for name, values in serial.items():
        assert np.array_equal(values, found[name], equal_nan=values.dtype.kind == "f"), name


@pytest.mark.parametrize("ranks", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_ranks_change_no_bit(toy_run, mpiexec, ranks):
    """There are two windows: of three ranks, one has none."""
    path, alone = toy_run(), toy_run(folder="serial")
    execute(alone)
    mpiexec(ranks, PROGRAM, "anew", path)
    check_same(path, numbers(alone.with_name("forward.nc")))


@pytest.mark.parametrize(("before", "after"), [(2, 3), pytest.param(3, 1, marks=pytest.mark.slow)])
def test_another_number_of_ranks_goes_on(toy_run, mpiexec, serial, monkeypatch, before, after):
    """All ranks are killed when one of them is, in its second step of the tank."""
    path = toy_run()
    monkeypatch.setenv("TOY_KILL", "2")
    killed = mpiexec(before, PROGRAM, "anew", path, QUARTERS, EVERY_HOUR, check=False)
    assert killed.returncode
    assert not path.with_name("forward.nc").exists()
    assert list(path.with_name("restart").glob("*.restart"))
    monkeypatch.delenv("TOY_KILL")
    mpiexec(after, PROGRAM, "resume", path, QUARTERS, EVERY_HOUR)
    check_same(path, serial)


def test_a_loss_is_told_once_and_ends_all_ranks(toy_run, mpiexec):
    path = toy_run(("time: mean", "time: instant, tolerance: 1.0e-6"))
    done = mpiexec(2, "-m", "tradewind", "run", path, "--mpi", "on", check=False)
    assert done.returncode == 2
    assert done.stderr.count("source.flux -> tank.inflow") == 1
    assert "Traceback" not in done.stderr
    assert not path.with_name("forward.nc").exists()


def test_a_file_of_another_run_ends_all_ranks(toy_run, mpiexec):
    """Only the second rank's window is spoilt."""
    path = toy_run()
    execute(path, [EVERY_HOUR])
    second = path.with_name("restart") / "toy.20000101T120000.restart"
    second.write_bytes(second.read_bytes()[:-4])
    command = ("-m", "tradewind", "run", path, "--resume", "--mpi", "on", "--set", EVERY_HOUR)
    done = mpiexec(2, *command, check=False)
    assert done.returncode == 2
    assert done.stderr.count("is damaged") == 1
    assert second.name in done.stderr
