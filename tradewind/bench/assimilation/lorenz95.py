"""The Lorenz-95 cases of OOPS as run configs of this project: states, observations, settings.

After the folder l95 of JCSDA/oops (commit 9548ed45, Apache-2.0), whose set-up and printed numbers are in
``oops_l95.md`` of the reference data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.assembly import Assembly, assemble

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

POINTS = 40
STEP = timedelta(minutes=90)
BEGIN = datetime(2010, 1, 1)
"""When both runs begin; OOPS counts from here."""
STATE_DIGITS, OBSERVATION_DIGITS = 15, 6
"""Significant digits of the files that OOPS writes and reads again."""
SIGMA = float(np.float32(0.4))
"""Of observations, in single precision there."""
PRIOR_ERROR, LENGTH = 0.6, 9.0
"""Standard deviation of the background, and its length scale: one point, 9 degrees of the circle."""
TRUTH = {"initial": 8.0, "changes": {9: 9.0}}
FORECAST = {"initial": 8.0, "changes": {19: 7.0}}
POINTS_STREAM = "points"
"""Name of the stream of observations."""
Start = Mapping[str, Any]
"""Settings of the model that say what it begins with."""


def rounded(values: Array, digits: int) -> Array:
    """Return values as they come back from a file that keeps so many significant digits."""
    return np.array([float(f"{v:.{digits}g}") for v in values])


def stated(values: Array) -> Start:
    """Return settings that begin with a state, as OOPS reads it from its file."""
    return {"initial": rounded(values, STATE_DIGITS).tolist()}


def hours(count: float) -> datetime:
    """Return the time so many hours after the runs begin."""
    return BEGIN + timedelta(hours=count)


@dataclass(frozen=True)
class Folder:
    """Where configs and observations of the cases are written."""

    path: Path

    def assembled(self, begin: Start, window: tuple[float, float], **more: Any) -> Assembly:
        """Return an assembly of the model in one window.

        Parameters
        ----------
        begin
            What the model begins with.
        window
            First and last hour.
        more
            Other sections of the config.
        """
        first, last = (hours(h).isoformat() for h in window)
        config = {
            "run": {"start": first, "stop": last, "step": "90min"},
            "components": {"model": {"plugin": "lorenz-96", "options": {"size": POINTS, **begin}}},
            **more,
        }
        file = self.path / "oops.yaml"
        file.write_text(json.dumps(config))
        return assemble(file)

    def states(self, begin: Start, steps: int) -> Array:
        """Return the states of a run, its start left out, shape ``(steps, 40)``."""
        assembly = self.assembled(begin, (0.0, 1.5 * steps))
        run = assembly.run()
        run.rewind(run.start(BEGIN))
        found = []
        for number in range(1, steps + 1):
            run.advance(BEGIN + number * STEP)
            found.append(run.get("model.x")[0].numpy().copy())
        return np.stack(found)

    def observed(self, times: Sequence[float], values: Array, points: list[int]) -> Path:
        """Write observations as OOPS does: six digits, errors in single precision.

        Parameters
        ----------
        times
            Hours, shape ``(k,)``.
        values
            The truth then, shape ``(k, 40)``.
        points
            Numbers of those that are observed.
        """
        import xarray as xr

        when = np.repeat(np.array([hours(h) for h in times], dtype="datetime64[ns]"), len(points))
        seen = rounded(values[:, points].reshape(-1), OBSERVATION_DIGITS)
        columns = {
            "x": ("observation", seen, {"units": "1"}),
            "x_uncertainty": ("observation", np.full(len(seen), SIGMA), {"units": "1"}),
            "time": ("observation", when),
            "latitude": ("observation", np.zeros(len(seen)), {"units": "degrees_north"}),
            "longitude": (
                "observation",
                np.tile(360.0 / POINTS * np.array(points), len(times)),
                {"units": "degrees_east"},
            ),
        }
        file = self.path / "oops.nc"
        xr.Dataset(columns).to_netcdf(file)
        return file


CONTROL = {
    "field": "model.x",
    "per": "cell",
    "change": "add",
    "prior_error": PRIOR_ERROR,
    "correlation": {"kind": "gaussian", "length": LENGTH, "distance": "degrees"},
}


def observed_points(file: Path) -> dict[str, Any]:
    """Return the section of a stream that reads x at points."""
    options = {"file": str(file), "variable": "x", "units": "1"}
    return {"operator": "point", "of": "model.x", "name": POINTS_STREAM, "options": options}


@dataclass(frozen=True)
class Case:
    """One assimilation of OOPS.

    Attributes
    ----------
    method
        ``3dvar`` or ``4dvar``.
    window
        First and last hour.
    state
        Hour of the forecast that is the background: with `3dvar` the middle of the window.
    times
        Hours of observations.
    points
        Every so manyth is observed.
    """

    method: str
    window: tuple[float, float]
    state: float
    times: tuple[float, ...]
    points: int

    def sections(self, folder: Folder, options: Mapping[str, Any]) -> tuple[Start, dict[str, Any]]:
        """Return what the model begins with, and the sections of its config."""
        background = folder.states(FORECAST, round(self.state / 1.5))[-1]
        file = self._observations(folder)
        sections = {
            "control": CONTROL,
            "observations": [observed_points(file)],
            "solve": {"method": self.method, "options": dict(options)},
        }
        return stated(background), sections

    def _observations(self, folder: Folder) -> Path:
        """Write the values of the truth, restarted as the window begins."""
        first = round(self.window[0] / 1.5)
        start = folder.states(TRUTH, first)[-1]
        truth = folder.states(stated(start), round((self.times[-1] - self.window[0]) / 1.5))
        steps = [round((t - self.window[0]) / 1.5) - 1 for t in self.times]
        return folder.observed(self.times, truth[steps], list(range(0, POINTS, self.points)))


THREE_D_VAR = Case("3dvar", (21.0, 27.0), 24.0, (22.5, 24.0, 25.5), 1)
FOUR_D_VAR = Case("4dvar", (3.0, 27.0), 3.0, tuple(float(h) for h in range(6, 28, 3)), 2)
