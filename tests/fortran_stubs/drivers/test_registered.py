"""The program of docs/hosting-derivatives.md: a host's own step in an inversion, and the exact answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

PAGE = Path(__file__).parents[3] / "docs" / "hosting-derivatives.md"


def block(name: str) -> str:
    """Return a file that the page shows."""
    return (
        PAGE.read_text()
        .partition(f"<!-- file: {name} -->")[2]
        .partition("\n")[2]
        .split("```")[1]
        .partition("\n")[2]
    )


@pytest.fixture
def ocean(tmp_path):
    """Write the config, and what was seen of the first four cells after every step."""
    hours, places = np.meshgrid([6, 12, 18, 24], np.arange(4), indexing="ij")
    values = 8.0 + np.sin(places + hours / 24.0)
    along = "observation"
    xr.Dataset(
        {
            "x": (along, values.ravel(), {"units": "1"}),
            "x_uncertainty": (along, np.full(values.size, 0.5), {"units": "1"}),
            "time": (along, np.datetime64("2000-01-01", "ns") + hours.ravel() * np.timedelta64(1, "h")),
            "latitude": (along, np.zeros(values.size)),
            "longitude": (along, 30.0 * places.ravel()),
        }
    ).to_netcdf(tmp_path / "seen.nc")
    (tmp_path / "ocean.yaml").write_text(block("ocean.yaml"))
    return values


def test_the_host_takes_part_by_its_step(ocean, compile_host, launch, tmp_path):
    done = launch(compile_host(block("ocean.f90")))
    error, *found = map(float, done.stdout.split())
    assert error <= 1e-15
    np.testing.assert_allclose(found, expected(ocean), rtol=1e-9)
    assert (tmp_path / "ocean.session").exists()
    assert (tmp_path / "ocean.nc").exists()


def expected(seen):
    turn, power, offset = 0.9 * np.roll(np.eye(8), 1, axis=0), np.eye(8), np.zeros(8)
    rows, rest = [], []
    for values in seen:
        power, offset = turn @ power, turn @ offset + 0.8
        rows.append(power[:4])
        rest.append(values - offset[:4] - power[:4] @ np.full(8, 8.0))
    k, d = np.vstack(rows), np.concatenate(rest)
    return 8.0 + np.linalg.solve(k.T @ k / 0.25 + np.eye(8), k.T @ d / 0.25)
