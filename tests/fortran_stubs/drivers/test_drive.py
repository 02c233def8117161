"""Run configs driven by Fortran programs: the numbers are those of Python, to the bit, for any ranks."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.assembly import assemble
from tradewind.coupled.model.looking import fields_of
from tradewind.execute import execute, invert
from tradewind.simulation import simulate

DRIVERS = Path(__file__).parents[3] / "fortran_stubs" / "drivers"
EXAMPLES = Path(__file__).parents[3] / "examples"
FUNCTIONS = """
def decay(imports, state, parameters):
    amount = state["amount"] * parameters["kept"][:, None] + imports["source"].sin().sum(1)
    return {"twice": 2 * amount}, {"amount": amount}
"""
CONFIG = """
run: {start: 2020-01-01, stop: 2020-01-02, step: 6h, window: 12h}
components:
  sun:
    plugin: constant
    options:
      grid: &g {lat: [0, 10], lon: [0, 10, 20]}
      fields: {light: {units: "1", value: [0.3, 7]}}
  pond:
    plugin: function
    step: 2h
    options:
      file: functions.py
      function: decay
      grid: *g
      imports: {source: {units: "1", levels: 2}}
      exports: {twice: {units: "1"}}
      state: {amount: {units: "1", initial: 1.0}}
      parameters: {kept: {value: 0.7}}
exchanges: [{from: sun.light, to: pond.source}]
output: {fields: [sun.light, pond.twice, pond.amount]}
host: {on_error: return}
"""
PORTS = ("sun.light", "pond.twice", "pond.amount")


@pytest.fixture
def config(tmp_path) -> Path:
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    path = tmp_path / "run.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def drive(compile_host, hosting):
    """The driver of any config."""
    return compile_host(DRIVERS / "drive.f90", "-cpp", *(["-DMPI"] if hosting.mpiexec else []))


@pytest.mark.mpi
def test_a_config_driven_by_fortran_gives_the_bits_of_python(config, drive, launch, tmp_path):
    launch(drive, config, tmp_path / "out", *PORTS, ranks=2)
    series = simulate(config).fields
    steps = zip(*(field.values.numpy() for field in series), strict=True)
    expected = np.concatenate([values.ravel() for step in steps for values in step])
    assert np.array_equal(np.fromfile(tmp_path / "out"), expected)


# ---------------------------------------------------------------------- the examples
def same(one: Path, other: Path) -> None:
    with xr.open_dataset(one) as a, xr.open_dataset(other) as b:
        xr.testing.assert_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["permian", "letkf", "methane"])
def test_every_example_that_estimates_is_driven_to_the_same_file(drive, launch, tmp_path, name, ranks):
    execute(EXAMPLES / f"{name}.yaml", [f"output.file={tmp_path / 'own.nc'}", "output.report="])
    launch(drive, EXAMPLES / f"{name}.yaml", tmp_path / "out", ranks=ranks)
    same(tmp_path / "own.nc", tmp_path / "out.nc")


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_coupled_example_is_driven_to_the_same_fields(drive, launch, tmp_path, ranks):
    ports = ("inventory.methane_flux", "wetlands.methane_flux", "transport.methane_mass")
    asked = ", ".join(ports)
    series = simulate(EXAMPLES / "coupled.yaml", [f"output.fields=[{asked}]"]).fields
    launch(drive, EXAMPLES / "coupled.yaml", tmp_path / "out", *ports, ranks=ranks, timeout=300)
    steps = zip(*(field.values.numpy() for field in series), strict=True)
    expected = np.concatenate([values.ravel() for step in steps for values in step])
    assert np.array_equal(np.fromfile(tmp_path / "out"), expected)


def by_python() -> np.ndarray:
    """Return what the Permian driver writes: emissions, columns of two steps, what the transport received."""
    assembly = assemble(EXAMPLES / "permian.yaml")
    answer, run, window = invert(assembly), assembly.run(), assembly.windows[0]
    run.rewind(run.start(window.start))
    for port, value in fields_of(assembly.control.at(window), answer.posterior.mean[None]).items():
        run.put(port, value)
    found = []
    for number in (1, 2):
        run.advance(window.start + number * timedelta(hours=6))
        if number == 1:
            found.append(run.get("inventory.methane_flux"))
        found.append(run.get("transport.methane_column"))
    found.append(run.get("transport.methane_flux"))
    return np.concatenate([value.numpy().ravel() for value in found])


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_permian_inversion_from_fortran(compile_host, hosting, launch, tmp_path, ranks):
    program = compile_host(DRIVERS / "permian.f90", "-cpp", *(["-DMPI"] if hosting.mpiexec else []))
    launch(program, EXAMPLES / "permian.yaml", tmp_path / "out", ranks=ranks)
    assert np.array_equal(np.fromfile(tmp_path / "out"), by_python())
