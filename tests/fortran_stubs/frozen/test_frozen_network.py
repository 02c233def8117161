"""A network compiled by torch, asked by hosts without Python: the whole way, so these tests are slow."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tradewind.surrogates.columns.files import load_columns, save_columns
from tradewind.surrogates.columns.header import ColumnField
from tradewind.surrogates.columns.network import MLP, ColumnNetwork
from tradewind.surrogates.freezing.package import freeze

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ROUNDING = 2e-6
"""Of answers of order one in single precision, after three layers."""
STRICT = ("-std=f2018", "-Wall", "-Wextra", "-Werror", "-fcheck=all", "-ffpe-trap=invalid,zero,overflow")

Asked = Callable[..., list[str]]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a frozen network, 16-64-64-8, beside its file."""
    folder = tmp_path_factory.mktemp("frozen")
    torch.manual_seed(0)
    x, y = ColumnField(name="x", units="1", size=16), ColumnField(name="y", units="1", size=8)
    save_columns(folder / "net.safetensors", MLP([x], [y]))
    freeze(folder / "net.safetensors", folder / "net.pt2")
    return folder / "net.pt2"


@pytest.fixture
def network(package: Path) -> ColumnNetwork:
    return load_columns(package.with_suffix(".safetensors"))[0]


@pytest.fixture(scope="session")
def program(real: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Fortran host, compiled strictly."""
    made = tmp_path_factory.mktemp("program") / "frozen"
    place = [f"-I{real.include}", f"-L{real.lib}", f"-Wl,-rpath,{real.lib}"]
    subprocess.run(
        [real.fortran, *STRICT, HERE / "frozen.f90", *place, "-ltradewind", "-o", made], check=True
    )
    return made


@pytest.fixture
def asked(program: Path) -> Asked:
    """Return a function that runs the host where there is no Python, and returns its lines."""
    bare = {k: v for k, v in os.environ.items() if "PYTHON" not in k and k != "VIRTUAL_ENV"}

    def ask(package: Path, columns: int) -> list[str]:
        command = [str(program), str(package), str(columns)]
        environment = bare | {"PATH": "/nowhere"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return ask


def exact(network: ColumnNetwork, n: int) -> np.ndarray:
    """Return the answers of the network itself, shape ``(n, 8)``."""
    x = torch.sin(torch.arange(1, 16 * n + 1, dtype=torch.float32)).reshape(16, n)
    with torch.no_grad():
        return network(x).numpy().T


@pytest.mark.parametrize("n", [1, 5, 64, 1000])
def test_answers_are_the_networks_to_rounding(
    package: Path, network: ColumnNetwork, asked: Asked, n: int
) -> None:
    name, *rows, traps = asked(package, n)
    assert (name, traps) == ("ok", "T")
    np.testing.assert_allclose(
        [[float(v) for v in row.split()] for row in rows], exact(network, n), atol=ROUNDING
    )


def test_no_python_is_linked(real: Any) -> None:
    command = ["ldd", real.lib / "libtradewind_frozen.so"]
    linked = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "libtorch_cpu" in linked.stdout
    assert "libpython" not in linked.stdout


def other(package: Path, tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "other.pt2"
    path.write_bytes(content)
    return path


def flipped(content: bytes) -> bytes:
    """Return the content with one bit changed, in the machine code: the largest part."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda b: b"",
    "of something else": lambda b: b"not a network\n" * 100,
    "truncated": lambda b: b[: len(b) // 2],
    "without its directory": lambda b: b[:-30],
    "with one bit changed": flipped,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_files_are_named(package: Path, tmp_path: Path, asked: Asked, how: str) -> None:
    name, message, traps = asked(other(package, tmp_path, DAMAGE[how](package.read_bytes())), 1)
    assert (name, traps) == ("checkpoint", "T")
    assert "other.pt2" in message


def test_missing_files_are_named(tmp_path: Path, asked: Asked) -> None:
    name, message, _ = asked(tmp_path / "nowhere.pt2", 1)
    assert (name, "there is no such file" in message) == ("checkpoint", True)


def test_folders_are_no_files(tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "folder.pt2").mkdir()
    assert asked(tmp_path / "folder.pt2", 1)[0] == "checkpoint"
