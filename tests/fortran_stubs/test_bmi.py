"""The BMI template: a framework asks, changes, advances and reads; its numbers are those of Python.

CSDMS' module bmif_2_0 is compiled in where TRADEWIND_BMI names its file (bmi.f90); else names and lengths
stand in for it, with no interfaces to be checked against.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "fortran_stubs" / "bmi"
STAND_IN = """\
module bmif_2_0
  implicit none
  integer, parameter :: bmi_max_component_name = 2048, bmi_max_var_name = 2048
  integer, parameter :: bmi_success = 0, bmi_failure = 1
  type, abstract :: bmi
  end type bmi
end module bmif_2_0
"""


@pytest.fixture(scope="module")
def framework(hosting, tmp_path_factory) -> Path:
    """Return a program that takes the template as a framework would."""
    folder = tmp_path_factory.mktemp("bmi")
    (folder / "stand_in.f90").write_text(STAND_IN)
    interface = Path(os.environ.get("TRADEWIND_BMI", folder / "stand_in.f90"))
    sources = [interface, FOLDER / "bmi_tradewind.f90", FOLDER / "framework.f90"]
    place = [f"-I{hosting.include}", f"-L{hosting.lib}", f"-Wl,-rpath,{hosting.lib}"]
    warnings = ["-std=f2018", "-Wall", "-Wextra", "-Werror", "-fcheck=bounds,do,mem,pointer"]
    traps = ["-ffpe-trap=invalid,zero,overflow", "-finit-real=snan", f"-J{folder}"]
    command = [hosting.fortran, *warnings, *traps, *place, *sources, "-ltradewind", "-o", folder / "program"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return folder / "program"


def from_python(folder: Path) -> np.ndarray:
    from tradewind.hosting.entry import open

    session = open(str(folder / "run.yaml"), None)
    circle = session.component("circle")
    x = np.full((1, 40), 8.0)
    x[0, 19] = 8.01
    circle.put(0, "x", x)
    session.advance(86400.0)
    circle.get(0, "x", x)
    session.close()
    return x[0]


def test_a_framework_gets_what_python_computes(framework, launch, tmp_path):
    for name in ("run.yaml", "model.nml"):
        shutil.copy(FOLDER / name, tmp_path)
    told, about, times, same, *numbers, refused = launch(framework).stdout.splitlines()
    assert told == "tradewind: run.yaml 1 circle.x"
    assert about == "double precision 1 320 40 points"
    assert times.split() == ["3600.0", "86400.0", "86400.0"]
    assert same == "T"
    assert refused.split() == ["1"] * 4
    answered = np.array([int(bits, 16) for bits in numbers], np.uint64).view(np.float64)
    np.testing.assert_array_equal(answered, from_python(tmp_path))


def test_a_file_that_is_no_namelist_is_a_failure_with_its_reason(framework, launch, tmp_path):
    (tmp_path / "model.nml").write_text("&tradewind confg='run.yaml' /\n")
    done = launch(framework, check=False)
    assert done.returncode
    assert "model.nml: Cannot match namelist object name confg" in done.stderr
