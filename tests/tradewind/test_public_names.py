"""One public door: what it shows, what it resolves to, and how light it is."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tradewind

HEAVY = ("torch", "xarray", "pydantic", "typer", "rich", "numpy", "pluggy", "mpi4py", "esmpy", "matplotlib")


def fresh(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def stub() -> ast.Module:
    return ast.parse(Path(tradewind.__file__).with_suffix(".pyi").read_text())


def test_names_are_few_and_sorted():
    assert list(tradewind.__all__) == sorted(tradewind.__all__)
    assert len(tradewind.__all__) <= 30


@pytest.mark.parametrize("name", tradewind.__all__)
def test_every_name_resolves(name):
    assert getattr(tradewind, name) is not None


def test_the_stub_lists_the_same_names():
    assigned = next(n for n in stub().body if isinstance(n, ast.Assign))
    assert ast.literal_eval(assigned.value) == list(tradewind.__all__)


def test_the_stub_imports_each_name_from_where_it_lives():
    imports = {
        alias.asname: (node.module, alias.name)
        for node in stub().body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {
        name: (f"tradewind.{home}", tradewind._OTHER_NAMES.get(name, name))
        for name, home in tradewind._HOMES.items()
    }
    assert imports == homes


def test_names_are_the_very_objects():
    from tradewind.couplers.grids import Grid

    assert tradewind.Grid is Grid


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'Gird'"):
        _ = tradewind.Gird


def test_dir_shows_what_can_be_used():
    assert set(tradewind.__all__) < set(dir(tradewind))


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    assert tradewind.__version__ == version("tradewind")


def test_the_door_is_light():
    assert fresh(f"import tradewind, sys; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


@pytest.mark.parametrize("name", ["Grid", "TradewindError", "hookimpl", "load_config"])
def test_light_names_do_not_load_torch(name):
    assert fresh(f"import tradewind, sys; tradewind.{name}; print('torch' in sys.modules)") == "False"


def test_the_command_line_is_light():
    heavy = ("torch", "xarray", "pydantic", "rich", "numpy", "mpi4py", "matplotlib")
    assert fresh(f"import tradewind.cli, sys; print([m for m in {heavy} if m in sys.modules])") == "[]"
