"""An inversion on several ranks writes the numbers of the serial one, to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.execute import execute

PROGRAM = Path(__file__).parent / "programs" / "execute_ranks.py"


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Return every numeric variable of the root group."""
    with xr.open_dataset(path, decode_cf=False) as ds:
        return {str(name): v.values for name, v in ds.variables.items() if v.dtype.kind in "fiu"}


@pytest.mark.mpi
@pytest.mark.parametrize(("kind", "ranks"), [("reference", 2), ("surrogate", 3)])
def test_ranks_change_no_bit(small_run, mpiexec, kind, ranks):
    """There are two windows: of three ranks, one has none."""
    path, choice = small_run(), f"components.transport.run_as={kind}"
    execute(path, [choice, "output.file=serial.nc"])
    mpiexec(ranks, PROGRAM, path, choice, "output.file=ranks.nc")
    serial, parallel = (numbers(path.with_name(f"{name}.nc")) for name in ("serial", "ranks"))
    assert len(serial) > 10
    assert serial.keys() == parallel.keys()
    for name, values in serial.items():
        assert np.array_equal(values, parallel[name], equal_nan=values.dtype.kind == "f"), name


@pytest.mark.mpi
def test_a_fault_is_said_once_and_ends_all_ranks(small_run, mpiexec):
    path = small_run(("substep: 1080", "subsetp: 1080"))
    done = mpiexec(2, "-m", "tradewind", "run", path, "--mpi", "on", check=False)
    assert done.returncode == 2
    assert done.stderr.count("did you mean 'substep'?") == 1
    assert "Traceback" not in done.stderr
    assert not [p for p in path.parent.iterdir() if "posterior" in p.name]
