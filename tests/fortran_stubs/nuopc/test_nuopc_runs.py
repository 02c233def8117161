"""A component of a run config in a real ESMX run, bit for bit as in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tradewind import Grid
from tradewind.surrogates.columns.files import save_columns
from tradewind.surrogates.columns.header import ColumnField
from tradewind.surrogates.columns.network import MLP

pytestmark = pytest.mark.mpi

BUCKET = {
    "tradewind_config": "bucket.yaml",
    "tradewind_component": "bucket",
    "tradewind_fields": "rain=precipitation_flux, water=soil_water",
}
LON, LAT = (a.ravel() for a in np.meshgrid([-103.5, -102.5, -101.5], [31.5, 32.5]))


def rain(lon: NDArray[np.float64], lat: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """Return the rain of the data component."""
    return 1e-6 * (200 + lon + 2 * lat) * (1 + seconds / 21600)


def filled(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the bucket's water after each of eight steps of three hours."""
    water, out = np.zeros_like(lon), []
    for step in range(8):
        water = (1 - 10800 / 86400) * water + 10800 * rain(lon, lat, 10800 * step)
        out.append(water)
    return out


def same(ran, expected) -> bool:
    assert ran.exit == 0, f"{ran.log}\n{ran.printed}"
    return np.array_equal(np.array(list(ran.water.values())), np.array(expected))


def test_a_component_on_its_own_grid_is_that_of_python(couple, bucket):
    ran = couple(1, lnd=BUCKET)
    assert list(ran.water) == [10800.0 * k for k in range(1, 9)]
    assert same(ran, filled(LON, LAT))


def test_three_ranks_of_which_one_has_no_cell_give_the_same_bits(couple, bucket):
    with_grid(
        bucket, "{lat: {start: 31.5, stop: 32.5, step: 1}, lon: {start: -103.5, stop: -102.5, step: 1}}"
    )
    lon, lat = (a.ravel() for a in np.meshgrid([-103.5, -102.5], [31.5, 32.5]))
    # two rows, of which each goes to one rank
    assert same(couple(3, sky={"nx": 2}, lnd=BUCKET), filled(lon, lat))


@pytest.mark.parametrize("geometry", ["grid", "mesh"])
def test_a_geometry_is_taken_over_from_a_component_on_other_ranks(couple, bucket, geometry):
    lnd = BUCKET | {"tradewind_geometry": "accept"}
    ran = couple(3, sky={"geometry": geometry}, lnd=lnd, pets={"SKY": [0], "LND": [1, 2]})
    assert same(ran, filled(LON, LAT))


def test_polygons_of_its_own_are_given_to_the_other_side(couple, bucket):
    grid = Grid.cubed_sphere(2)
    grid.to_file(bucket.parent / "mesh.nc", "ugrid")
    with_grid(bucket, "{file: mesh.nc}")
    ran = couple(2, sky={"geometry": "accept"}, lnd=BUCKET)
    assert ran.exit == 0, ran.log
    assert np.allclose(np.array(list(ran.water.values())), filled(grid.lon % 360, grid.lat), rtol=1e-14)


def test_points_of_its_own_are_given_to_the_other_side(couple, bucket):
    lon, lat = np.array([1.0, 20.0, 300.0]), np.array([-30.0, 0.0, 50.0])
    Grid.points(lon, lat).to_file(bucket.parent / "points.nc")
    with_grid(bucket, "{file: points.nc}")
    assert same(couple(2, sky={"geometry": "accept"}, lnd=BUCKET), filled(lon, lat))


def with_grid(config: Path, grid: str) -> None:
    lines = config.read_text().splitlines()
    config.write_text("\n".join(f"      grid: {grid}" if "grid:" in line else line for line in lines))


def test_a_network_without_a_grid_takes_the_host_s(couple, tmp_path):
    network = trained(tmp_path / "net.safetensors")
    text = "run: {start: 1996-01-15, stop: 1996-01-16, step: 3h}\ncomponents:\n"
    text += "  soil: {plugin: network, options: {checkpoint: net.safetensors}}\n"
    (tmp_path / "net.yaml").write_text(text + "host: {on_error: return}\n")
    lnd = BUCKET | {"tradewind_config": "net.yaml", "tradewind_component": "soil"}
    ran = couple(2, lnd=lnd)
    assert ran.exit == 0, ran.log
    assert np.allclose(np.array(list(ran.water.values())), answers(network), rtol=1e-13)


def test_a_network_s_file_is_enough(couple, tmp_path):
    network = trained(tmp_path / "net.safetensors")
    lnd = {k: v for k, v in BUCKET.items() if k != "tradewind_component"}
    ran = couple(1, lnd=lnd | {"tradewind_config": "net.safetensors"})
    assert ran.exit == 0, ran.log
    assert np.allclose(np.array(list(ran.water.values())), answers(network), rtol=1e-13)


def trained(path: Path) -> MLP:
    torch.manual_seed(1)
    into = ColumnField(name="rain", units="kg m-2 s-1", mean=(2e-4,), scale=(1e-4,))
    network = MLP([into], [ColumnField(name="water", units="kg m-2")], (8,)).double()
    save_columns(path, network)
    return network


def answers(network: MLP) -> list[NDArray[np.float64]]:
    with torch.no_grad():
        given = [torch.from_numpy(rain(LON, LAT, 10800 * step))[None] for step in range(8)]
        return [network(x)[0].numpy() for x in given]


LEVELS = """
run: {{start: 1996-01-15, stop: 1996-01-16, step: 3h}}
components:
  maker:
    plugin: function
    options: {{file: levels.py, function: make, grid: {grid}, exports: {{air: {{units: kg m-2, levels: 2}}}}}}
  user:
    plugin: function
    options:
      {{file: levels.py, function: use, grid: {grid},
       imports: {{air: {{units: kg m-2, levels: 2}}}}, exports: {{water: {{units: kg m-2}}}}}}
host: {{on_error: return}}
"""
CODE = """
import torch

def make(cells, interval):
    value = cells.lat + 100.0 * torch.arange(2, dtype=torch.float64)[:, None] + interval.start.hour
    return {"air": value.expand(cells.members, 2, -1)}

def use(imports):
    return {"water": imports["air"].sum(1)}
"""


def test_two_components_of_one_config_are_coupled_with_levels_on_their_own_ranks(couple, tmp_path):
    grid = "{lat: {start: 31.5, stop: 32.5, step: 1}, lon: {start: -103.5, stop: -101.5, step: 1}}"
    (tmp_path / "levels.yaml").write_text(LEVELS.format(grid=grid))
    (tmp_path / "levels.py").write_text(CODE)
    config = {"tradewind_config": "levels.yaml"}
    parts = {
        "ONE": config | {"tradewind_component": "maker"},
        "TWO": config | {"tradewind_component": "user", "tradewind_fields": "water=soil_water"},
    }
    redist = ":remapMethod=redist"
    sequence = f"@10800\n ONE\n ONE -> TWO {redist}\n TWO\n TWO -> SKY {redist}\n SKY\n@\n"
    ran = couple(2, parts=parts, sequence=sequence, pets={"ONE": [0]})
    # two levels: lat + hour, and 100 more
    assert same(ran, [2 * LAT + 100 + 2 * 3 * step for step in range(8)])


def test_steps_within_the_coupling_interval(couple, bucket):
    ran = couple(1, lnd=BUCKET | {"tradewind_step": 5400})
    water = np.zeros(6)
    for _ in range(2):
        water = (1 - 5400 / 86400) * water + 5400 * rain(LON, LAT, 0)
    assert ran.exit == 0, ran.log
    assert np.array_equal(ran.water[10800.0], water)


def test_units_of_the_other_side_are_converted_when_asked(couple, bucket):
    sky = {"rain": "rain_in_grams", "units": "g m-2 s-1"}
    lnd = BUCKET | {"tradewind_fields": "rain=rain_in_grams, water=soil_water", "tradewind_convert": True}
    ran = couple(1, sky=sky, lnd=lnd)
    assert ran.exit == 0, ran.log
    assert np.allclose(ran.water[10800.0], filled(LON, LAT)[0] / 1000, rtol=1e-14)


def test_an_import_that_nobody_exports_may_be_a_number(couple, bucket):
    fields = {"tradewind_fields": "rain=snowfall_flux, water=soil_water", "tradewind_defaults": "rain=1e-4"}
    ran = couple(1, lnd=BUCKET | fields)
    assert ran.exit == 0, ran.log
    assert np.array_equal(ran.water[10800.0], np.full(6, 10800 * 1e-4))
