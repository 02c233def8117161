"""Smoothers and chains chosen by name in a run config, for a small circle of Lorenz and Emanuel (1998)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from tradewind.execute import execute

SIZE = 6
TRUTH = [8.4, 7.7, 8.2, 7.9, 8.6, 7.5]
SMALL = {
    "es-mda": {"members": 30, "steps": 2},
    "ies": {"members": 10, "failure": "extrapolate"},
    "mcmc": {"chains": 30, "steps": 40},
}


@pytest.fixture
def circle(tmp_path):
    """Return a function that writes a config with a method, and gives its path."""
    components = {"circle": {"plugin": "lorenz-96", "options": {"size": SIZE}}}
    run = {"start": "2000-01-01T00:00", "stop": "2000-01-01T12:00", "step": "6h"}
    forward = {"run": run, "components": components, "output": {"file": "truth.nc", "fields": ["circle.x"]}}
    forward["components"] = {"circle": {"plugin": "lorenz-96", "options": {"size": SIZE, "initial": TRUTH}}}
    (tmp_path / "truth.json").write_text(json.dumps(forward))
    result = execute(tmp_path / "truth.json")
    values = result.fields[0].values.numpy().reshape(2, SIZE)
    when = np.repeat(np.array(["2000-01-01T06", "2000-01-01T12"], dtype="datetime64[ns]"), SIZE)
    columns = {
        "x": ("observation", values.ravel(), {"units": "1"}),
        "x_uncertainty": ("observation", np.full(2 * SIZE, 0.05), {"units": "1"}),
        "time": ("observation", when),
        "latitude": ("observation", np.zeros(2 * SIZE), {"units": "degrees_north"}),
        "longitude": ("observation", np.tile(360.0 / SIZE * np.arange(SIZE), 2), {"units": "degrees_east"}),
    }
    xr.Dataset(columns).to_netcdf(tmp_path / "seen.nc")

    def write(method, **more):
        config = {
            "run": run | {"seed": 3},
            "components": components,
            "observations": {
                "operator": "point", "of": "circle.x",
                "options": {"file": str(tmp_path / "seen.nc"), "variable": "x", "units": "1"},
            },
            "control": {"field": "circle.x", "per": "cell", "change": "add", "prior_error": 0.5},
            "solve": {"method": method, "options": SMALL[method] | more},
        }  # fmt: skip
        (tmp_path / f"{method}.json").write_text(json.dumps(config))
        return tmp_path / f"{method}.json"

    return write


@pytest.mark.parametrize("method", ["es-mda", "ies"])
def test_a_run_finds_the_state_it_began_with(circle, method):
    found = execute(circle(method)).posterior
    before = np.abs(8.0 - np.array(TRUTH)).max()
    assert np.abs(8.0 + found.mean.numpy() - np.array(TRUTH)).max() < 0.3 * before
    assert found.cost["observations_after"] < 0.02 * found.cost["observations_before"]


def test_chains_move_towards_the_observations_and_say_when_they_have_not_arrived(circle):
    found = execute(circle("mcmc")).posterior
    assert found.cost["observations_after"] < 0.3 * found.cost["observations_before"]
    assert found.details["notes"][-1].startswith("not converged")


def test_draws_follow_the_run_s_seed_unless_they_have_one(circle):
    path = circle("es-mda")
    one, other = (execute(path, [f"run.seed={seed}"]).posterior.mean for seed in (1, 2))
    assert not (one == other).all()
    path = circle("es-mda", seed=5)
    one, other = (execute(path, [f"run.seed={seed}"]).posterior.mean for seed in (1, 2))
    assert (one == other).all()
