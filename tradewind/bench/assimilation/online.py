"""PDAF's online test cases, whole: four members, a field that is shifted, analyses after steps 9 and 18."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

FILTERS = ("ETKF", "LETKF", "ESTKF", "LESTKF")
STEPS = (9, 18)
START = np.datetime64("2000-01-01T00:00", "ns")
HOUR = np.timedelta64(1, "h")
CONFIG = """\
run: {{start: 2000-01-01, stop: 2000-01-01T18:00, step: 1h, window: 9h}}
components:
  field:
    plugin: shift
    options:
      grid: {{lat: {{start: 0, stop: 17, step: 1}}, lon: {{start: 0, stop: 35, step: 1}}}}
      rows: 1
observations: {{operator: point, of: field.x, options: {{file: observed.nc, variable: x, units: "1"}}}}
control: {{field: field.x, change: add, prior_error: 1.0}}
ensemble: {{members: 4, file: members.nc}}
solve: {{method: {method}, options: {options}}}
"""


def write(folder: Path, reference: Path, filter_: str) -> Path:
    """Write config, observations and members of one case into a folder; return the config.

    Parameters
    ----------
    reference
        ``pdaf_18x36.nc``.
    filter_
        One of `FILTERS`.
    """
    import netCDF4

    folder.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(reference) as ds:
        case = ds["tests_online"]
        fields = [np.asarray(case[f"obs_step{step:02d}"][:], dtype=np.float64) for step in STEPS]
        members = np.asarray(case["ens_ini"][:], dtype=np.float64)
        forget, radius = (float(case[f"{filter_}_step09"].getncattr(k)) for k in ("forget", "cradius"))
    _write_observations(folder / "observed.nc", fields)
    _write_members(folder / "members.nc", members)
    options = f"{{inflation: {{forget: {forget}}}}}"
    if filter_.startswith("L"):
        where = f"{{radius: {radius}, distance: plane, taper: gaspari-cohn}}"
        options = f"{{inflation: {{forget: {forget}}}, localization: {where}}}"
    path = folder / f"{filter_.lower()}.yaml"
    path.write_text(CONFIG.format(method=filter_.lower(), options=options))
    return path


def _write_observations(path: Path, fields: Sequence[Array]) -> None:
    import xarray as xr

    found = [np.nonzero(field > -999.0) for field in fields]
    values = np.concatenate([field[where] for field, where in zip(fields, found, strict=True)])
    y, x = (np.concatenate([where[axis] for where in found]).astype(np.float64) for axis in (0, 1))
    ends = [START + step * HOUR for step in STEPS]
    times = np.concatenate([np.full(len(w[0]), end) for w, end in zip(found, ends, strict=True)])
    along = ("observation",)
    one = {"units": "1"}
    xr.Dataset(
        {
            "x": (along, values, one),
            "x_uncertainty": (along, np.full(len(values), 0.5), one),
            "time": (along, times),
            "latitude": (along, y, {"units": "degrees_north"}),
            "longitude": (along, x, {"units": "degrees_east"}),
        }
    ).to_netcdf(path)


def _write_members(path: Path, members: Array) -> None:
    import xarray as xr

    xr.Dataset({"x": (("member", "y", "x_point"), members)}).to_netcdf(path)


def run(path: Path, comm: object | None = None) -> tuple[Array, Array]:
    """Run a case; return the means of both analyses ``(2, cell)`` and the last members ``(4, cell)``."""
    from tradewind.assembly import assemble
    from tradewind.assimilation import assimilate

    result = assimilate(assemble(path, (), comm))
    return result.fields[0].analysis.numpy(), result.members["field.x"].numpy()


def error(reference: Path, filter_: str, found: tuple[Array, Array]) -> float:
    """Return the largest difference from PDAF's own means of both analyses, and members of the last."""
    import netCDF4

    means, members = found
    with netCDF4.Dataset(reference) as ds:
        cases = [ds["tests_online"][f"{filter_}_step{step:02d}"] for step in STEPS]
        wanted = np.stack([np.asarray(case["mean_ana"][:]).reshape(-1) for case in cases])
        last = np.asarray(cases[-1]["ens_ana"][:]).reshape(len(members), -1)
    return float(max(np.abs(means - wanted).max(), np.abs(members - last).max()))


def on_ranks(path: Path, ranks: int, launcher: str) -> tuple[Array, Array]:
    """Run a case under ``mpiexec -n ranks``; return what `run` does.

    Raises
    ------
    ModelError
        When it fails; with what it said.
    """
    out = path.with_suffix(f".{ranks}.npz")
    command = [launcher, "-n", str(ranks), sys.executable, "-m", __name__, str(path), str(out)]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"exit {done.returncode}: {done.stderr[-2000:]}", where=f"{path}, {ranks} ranks")
    with np.load(out) as found:
        return found["means"], found["members"]


def compare(
    folder: Path, reference: Path, ranks: Sequence[int] = (1,), launcher: str = "mpiexec"
) -> dict[str, Any]:
    """Run all cases, serially and on so many ranks.

    Returns
    -------
    dict
        ``error_max`` over all filters, analyses and members, and ``rank_identical``: whether all runs of a
        filter have the same bits.
    """
    worst, same = 0.0, True
    for filter_ in FILTERS:
        path = write(folder, reference, filter_)
        alone = run(path)
        worst = max(worst, error(reference, filter_, alone))
        for count in ranks:
            means, members = on_ranks(path, count, launcher)
            same = same and np.array_equal(means, alone[0]) and np.array_equal(members, alone[1])
    return {"error_max": worst, "rank_identical": same}


def _on_this_rank(path: Path, out: Path) -> None:
    from mpi4py import MPI

    means, members = run(path, MPI.COMM_WORLD)
    if MPI.COMM_WORLD.Get_rank() == 0:
        np.savez(out, means=means, members=members)


if __name__ == "__main__":
    _on_this_rank(Path(sys.argv[1]), Path(sys.argv[2]))
