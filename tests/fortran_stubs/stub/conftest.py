"""A host without Python that makes the calls it is dictated, and a pond that can be recorded."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from tradewind.hosting import entry

HERE = Path(__file__).parent
MISUSE = Path(__file__).parents[3] / "fortran_stubs" / "misuse"
RUN = """\
plugins: [pond.py]
run: {start: 2000-01-01, stop: 2000-01-02, step: 1h}
components:
  model:
    plugin: host
    options:
      grid: {lat: [10, 20], lon: [0, 10]}
      exports: {inflow: {units: kg}}
  pond: {plugin: pond}
exchanges:
  - {from: model.inflow, to: pond.inflow}
host: {on_error: return, record: record}
"""
FIELDS = """\
tradewind fields 1
policy return
clock 0 86400 3600   # start, stop and step in seconds
import x 1 real32 *,2
export y "kg m-2 s-1" real32 * 1.5
component land
import soil K real64 4
state count 1 int64 -
"""

Dictate = Callable[..., list[str]]


@pytest.fixture
def dictate(compile_host, tmp_path) -> Dictate:
    """Return a function that has calls made without Python, and returns what each was told."""
    program = compile_host(HERE / "calls.c", library="tradewind_stub")

    def run(lines: str | Iterable[str], **env: str) -> list[str]:
        text = lines if isinstance(lines, str) else "\n".join(lines)
        # nothing of this environment: no Python is found, and none is needed
        clean = {"PATH": "/nowhere", **env}
        done = subprocess.run(
            [program], input=text, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    return run


@pytest.fixture
def declared(tmp_path) -> Path:
    """Return a declaration of fields."""
    (tmp_path / "net.fields").write_text(FIELDS)
    return tmp_path / "net.fields"


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Callable[[Callable[[object], None], str], Path]:
    """Return a function that records what another does with a session of the pond."""

    def record(use, options: str = "") -> Path:
        folder = tmp_path_factory.mktemp("recorded")
        (folder / "pond.py").write_text((MISUSE / "pond.py").read_text())
        (folder / "run.yaml").write_text(
            RUN.replace("plugin: pond}", f"plugin: pond, options: {{{options}}}}}")
        )
        session = entry.open(str(folder / "run.yaml"), None)
        try:
            use(session)
        finally:
            session.close()
        return folder / "record"

    return record


def exactly(array: np.ndarray) -> list[str]:
    return [x.hex() for x in array.tolist()]


@pytest.fixture(scope="session")
def got():
    """Return a function that gets a field as a host does, and returns its numbers exactly."""

    def get(component, name: str, size: int = 4) -> list[str]:
        array = np.zeros(size)
        component.get(0, name, array)
        return exactly(array)

    return get


@pytest.fixture(scope="session")
def numbers():
    """Return a function that returns the numbers of a line that a get has printed, exactly."""
    return lambda line: [float.fromhex(word).hex() for word in line.split()[1:]]


@pytest.fixture(scope="session")
def inflow():
    """Return a function that returns what is put before a run, as text that loses no bit."""
    return lambda hour: " ".join(map(repr, inflow_of(hour).tolist()))


def inflow_of(hour: int) -> np.ndarray:
    return np.array([0.25, 0.5, 0.75, 1.0]) * 1.1**hour


@pytest.fixture(scope="session")
def three_hours(recorded, got):
    """Return a recording of three runs of the pond, and the levels and amounts that Python has returned."""
    seen: list[list[str]] = []

    def use(session) -> None:
        pond = session.component("pond")
        pond.put(0, "rate", np.array(0.125))
        for hour in range(3):
            pond.put(0, "inflow", inflow_of(hour))
            pond.run(3600.0 * hour, 3600.0)
            seen.append(got(pond, "level"))
        seen.append(got(pond, "amount"))
        session.seconds("2000-01-01T06:00")

    return recorded(use), seen


@pytest.fixture(autouse=True)
def no_recording(monkeypatch) -> None:
    """Keep variables of the user out."""
    for name in ("TRADEWIND_RECORD", "TRADEWIND_REPLAY"):
        monkeypatch.delenv(name, raising=False)
