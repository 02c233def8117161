"""``tradewind map-check``: figures, limits and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tradewind.cli import app
from tradewind.commands.map_check import Check
from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.mapfile import read_map, write_map
from tradewind.couplers.regrid.regridder import Regridder


def check(path: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["map-check", str(path), *options], prog_name="tradewind")


@pytest.fixture(scope="module")
def grids() -> tuple[Grid, Grid]:
    source = Grid.latlon(np.arange(-80.0, 90, 20), np.arange(10.0, 360, 20))
    return source, Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30))


@pytest.fixture(params=["conservative", "bilinear", "nearest_s2d"])
def good(request, grids, tmp_path) -> Path:
    Regridder.build(*grids, request.param, backend="native").to_file(tmp_path / "map.nc")
    return tmp_path / "map.nc"


@pytest.fixture
def conservative(grids, tmp_path) -> Path:
    Regridder.build(*grids, "conservative", backend="native").to_file(tmp_path / "map.nc")
    return tmp_path / "map.nc"


def spoil(path: Path, index: int, value: float) -> Path:
    with netCDF4.Dataset(path, "a") as ds:
        ds["S"][index] = value
    return path


def test_a_good_map_passes(good):
    result = check(good)
    assert result.exit_code == 0, result.output
    assert "FAILED" not in result.output
    assert "vortex" in result.output


def test_the_json_object_is_flat_and_alone(conservative):
    result = check(conservative, "--json")
    found = json.loads(result.stdout)
    assert (found["passed"], found["failed"]) == (True, [])
    assert found["row_sum_error"] < 1e-14
    assert found["conservation"] < 1e-14
    assert not [k for k, v in found.items() if isinstance(v, dict)]


@pytest.mark.parametrize(
    ("value", "failed"),
    [
        (-0.2, {"weights below 0", "row sums", "conservation"}),
        (1.5, {"weights above 1", "row sums", "conservation"}),
        (0.01, {"row sums", "conservation"}),
    ],
)
def test_a_spoilt_weight_is_found(conservative, value, failed):
    result = check(spoil(conservative, 3, value), "--json")
    assert result.exit_code == 2
    assert set(json.loads(result.stdout)["failed"]) == failed


def test_a_weight_that_is_no_number_is_one_clear_error(conservative):
    result = check(spoil(conservative, 3, float("nan")), "--json")
    assert result.exit_code == 2
    assert result.output.count("error:") == 1
    assert "map.nc" in result.output


def test_what_fails_is_named_in_one_message(conservative):
    result = check(spoil(conservative, 3, -0.2))
    assert result.output.count("FAILED") == 3
    assert "3 of 8 checks failed: weights below 0, row sums, conservation" in " ".join(result.output.split())


def test_limits_can_be_widened(conservative):
    spoil(conservative, 3, -0.2)
    options = ("--allow-negative", "--max-row-sum-error", "2", "--max-conservation", "1")
    assert check(conservative, *options).exit_code == 0


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (("--max-misfit", "1e-6"), "mean misfit"),
        (("--min-coverage", "1.1"), "coverage"),
        (("--max-row-sum-error", "-1"), "row sums"),
    ],
)
def test_limits_can_be_narrowed(conservative, option, name):
    result = check(conservative, *option, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["failed"] == [name]


@pytest.mark.parametrize("axis", [0, 1])
def test_fields_turned_over_are_found_by_their_misfits(conservative, axis):
    # the classic trap: weights of one orientation, fields of the other
    content = read_map(conservative)
    order = np.flip(np.arange(content.source.size).reshape(content.source.shape), axis).ravel()
    turned = replace(content.weights, col=order[content.weights.col])
    write_map(conservative, replace(content, weights=turned))
    assert "mean misfit" in json.loads(check(conservative, "--json").stdout)["failed"]


def test_an_empty_map_fails(conservative):
    content = read_map(conservative)
    nothing = np.zeros(0, dtype=np.int64)
    empty = replace(content.weights, row=nothing, col=nothing, value=np.zeros(0))
    write_map(conservative, replace(content, weights=empty))
    assert "weights" in json.loads(check(conservative, "--json").stdout)["failed"]


def test_nan_keeps_no_limit_and_what_does_not_exist_keeps_all():
    assert not Check("x", float("nan"), 1.0).passed
    assert not Check("x", float("nan"), 0.0, is_least=True).passed
    assert Check("x", None, 0.0).passed


@pytest.mark.parametrize("content", [b"", b"not netCDF"])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "map.nc").write_bytes(content)
    result = check(tmp_path / "map.nc")
    assert result.exit_code == 2
    assert result.output.count("error:") == 1
    assert "map.nc" in result.output


def test_a_file_of_another_kind_is_one_clear_error(tmp_path, grids):
    grids[0].to_dataset().to_netcdf(tmp_path / "grid.nc")
    result = check(tmp_path / "grid.nc")
    assert result.exit_code == 2
    assert "is this a weight file?" in result.output


def test_a_missing_file_is_named(tmp_path):
    result = check(tmp_path / "nowhere.nc")
    assert result.exit_code == 2
    assert "no such file" in result.output


@pytest.mark.shared
def test_all_maps_of_esmf_pass(shared):
    for path in sorted((shared / "reference" / "esmf_weights").glob("[a-f]_*.nc")):
        result = check(path)
        assert result.exit_code == 0, result.output
