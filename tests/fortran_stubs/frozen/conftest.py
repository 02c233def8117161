"""The C interface from Python, over the frozen engine with a network of our own that needs no torch."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from ctypes import POINTER, Structure, byref, c_char, c_char_p, c_double, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[3] / "fortran_stubs"
HERE = Path(__file__).parent
KINDS = {np.dtype(np.float32): 1, np.dtype(np.float64): 2, np.dtype(np.int32): 3, np.dtype(np.int64): 4}
SOURCES = [p for p in sorted((ROOT / "frozen").glob("*.cpp")) if p.name != "network.cpp"] + [
    HERE / "stand_in.cpp"
]
HEADERS = sorted((ROOT / "frozen").glob("*.hpp"))
FLAGS = ("-std=c++17", "-O0", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", "-pedantic")


class Status(Structure):
    _fields_ = (
        ("code", c_int32), ("rank", c_int32), ("component", c_char * 128), ("field", c_char * 128),
        ("message", c_char * 2048), ("traceback", c_char * 16384),
    )  # fmt: skip


class Array(Structure):
    _fields_ = (
        ("data", c_void_p), ("kind", c_int32), ("rank", c_int32), ("extent", c_int64 * 7),
        ("stride", c_int64 * 7),
    )  # fmt: skip


class How(Structure):
    _fields_ = (("units", c_char_p), ("first", c_int64), ("cast", c_int32), ("convert", c_int32))


class Field(Structure):
    _fields_ = (
        ("name", c_char * 128), ("units", c_char * 128), ("role", c_int32), ("kind", c_int32),
        ("rank", c_int32), ("extent", c_int64 * 7),
    )  # fmt: skip


def seen(array: np.ndarray) -> Array:
    """Return an array as Fortran describes it: extents and strides in the array's own order of axes."""
    return Array(
        array.ctypes.data,
        KINDS[array.dtype],
        array.ndim,
        (c_int64 * 7)(*array.shape),
        (c_int64 * 7)(*array.strides),
    )


@dataclass(frozen=True)
class Told:
    """What a call came to."""

    code: str
    field: str
    message: str


class Host:
    """A host of one frozen network; every call returns what its status told."""

    def __init__(self, library: Path, file: Path) -> None:
        self.loaded = ctypes.CDLL(str(library))
        self.loaded.tradewind_code_name.restype = c_char_p
        self.session, self.part = c_int64(), c_int64()
        self.opened = self.call("init", byref(self.session), os.fsencode(file), None, b"frozen")
        if self.opened.code == "ok":
            self.call("component_of", self.session, b"network", byref(self.part))

    def call(self, name: str, *given: Any) -> Told:
        status = Status()
        getattr(self.loaded, f"tradewind_{name}")(*given, byref(status))
        code = self.loaded.tradewind_code_name(status.code).decode()
        return Told(code, status.field.decode(), status.message.decode())

    def hand(self, does: str, name: str, array: np.ndarray, **how: Any) -> Told:
        return self.call(does, self.part, name.encode(), byref(seen(array)), byref(How(**how)))

    def put(self, name: str, array: np.ndarray, **how: Any) -> Told:
        return self.hand("put", name, array, **how)

    def bind(self, name: str, array: np.ndarray, **how: Any) -> Told:
        return self.hand("bind", name, array, **how)

    def get(self, name: str, array: np.ndarray, **how: Any) -> Told:
        return self.hand("get", name, array, **how)

    def run(self) -> Told:
        return self.call("run", self.part, c_double(0.0), c_double(1.0))

    def set_grid(self, *numbers: int, mask: Any = None) -> Told:
        n, places = len(numbers), np.zeros(len(numbers))
        index = (c_int64 * n)(*numbers)
        lon = places.ctypes.data_as(POINTER(c_double))
        return self.call("set_grid", self.part, c_int64(n), index, lon, lon, mask)

    def fields(self) -> list[tuple[str, str, int, int, tuple[int, ...]]]:
        count = c_int32()
        self.call("fields", self.part, byref(count))
        return [self._field(i + 1) for i in range(count.value)]

    def _field(self, number: int) -> tuple[str, str, int, int, tuple[int, ...]]:
        f = Field()
        self.call("field_of", self.part, c_int32(number), byref(f))
        return f.name.decode(), f.units.decode(), f.role, f.kind, tuple(f.extent[: f.rank])

    def finalize(self) -> Told:
        return self.call("finalize", byref(self.session))


def do(*command: object) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr)


def link(folder: Path, hosting: Any) -> None:
    """Link the engine without torch into a folder, and the library that looks for it there."""
    texts = [folder / "status.o", folder / "threads.o"]
    for target in texts:
        source = ROOT / "engine" / target.with_suffix(".c").name
        do("gcc", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-c", source, "-o", target)
    do("g++", *FLAGS, f"-I{ROOT / 'frozen'}", *SOURCES, *texts, "-o", folder / "libtradewind_frozen.so")
    (folder / "libtradewind.so").symlink_to(hosting.lib / "libtradewind.so")


@pytest.fixture(scope="session")
def beside(hosting: Any) -> Path:
    """Return a folder of libtradewind with a frozen engine whose network is a stand-in; built once."""
    text = hashlib.sha256(b"".join(p.read_bytes() for p in (*SOURCES, *HEADERS))).hexdigest()[:16]
    folder = Path(hosting.prefix) / f"standing-{text}"
    with (Path(hosting.prefix) / "standing.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=hosting.prefix) as fresh:
                link(Path(fresh), hosting)
                shutil.copytree(fresh, folder, symlinks=True)
    return folder


@pytest.fixture
def opened(beside: Path, tmp_path: Path) -> Callable[[str | bytes], Host]:
    """Return a function that opens a stand-in from what its file holds."""

    def open_(content: str | bytes) -> Host:
        file = tmp_path / "net.pt2"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return Host(beside / "libtradewind.so", file)

    return open_


@pytest.fixture(scope="session")
def real(installing: Callable[..., Any]) -> Any:
    """Return the library installed with the engine for networks that torch has compiled."""
    return installing("frozen", "-DTRADEWIND_FROZEN=ON", "-DTRADEWIND_NUOPC=OFF")
