"""The library without Python: what it is linked with, a Fortran host on it, and valgrind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tradewind.errors import TradewindError

HERE = Path(__file__).parent


def test_it_needs_neither_python_nor_torch(hosting):
    library = next(hosting.lib.glob("libtradewind_stub.so"))
    needed = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=True).stdout
    assert "libc.so" in needed
    assert not any(word in needed for word in ("libpython", "libtorch", "libc10", "not found"))
    assert b"Py_Initialize" not in library.read_bytes()


def use_as_transcript(session) -> None:
    """Make the calls of transcript.f90."""
    pond, inflow, level = session.component("pond"), np.array([0.25, 0.5, 0.75, 1.0]), np.zeros(4)
    pond.put(0, "rate", np.array(0.125))
    for hour in range(3):
        pond.put(0, "inflow", inflow)
        pond.run(3600.0 * hour, 3600.0)
        pond.get(0, "level", level)
        pond.get(0, "level", level, "g2", 0, False, True)
        inflow = inflow * 1.1
    pond.get(0, "amount", level)
    pond.bind("level", level)
    pond.run(10800.0, 3600.0)
    with pytest.raises(TradewindError):
        pond.run(14400.0, -1.0)


def test_a_fortran_host_runs_on_a_recording(compile_host, recorded, tmp_path):
    record = recorded(use_as_transcript)
    program = compile_host(HERE / "transcript.f90", library="tradewind_stub")
    run = subprocess.run(
        [program, "run.yaml"], cwd=tmp_path, env={"TRADEWIND_REPLAY": str(record)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = [line.split() for line in run.stdout.splitlines()]
    codes = [
        words[-1]
        for words in told
        if words[0] in {"init", "component", "put", "run", "get", "bind", "finalize"}
    ]
    assert codes[:-2] == ["0"] * (len(codes) - 2)
    assert "a step of -1 s" in run.stdout
    # bits of level (1 + 1/4 - 1/8)², and so on
    first = next(words for words in told if len(words) == 4 and len(words[0]) == 16)
    expected = (1.0 + np.array([0.25, 0.5, 0.75, 1.0]) - 0.125) ** 2
    assert [int(word, 16) for word in first] == expected.view(np.uint64).tolist()


@pytest.mark.slow
def test_valgrind_finds_nothing(compile_host, three_hours, tmp_path):
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    program = compile_host(HERE / "calls.c", library="tradewind_stub")
    calls = ["init record", "component pond", "put rate 2 - 0 - 0.125", "put inflow 2 4 0 - 0.25 0.5 0.75 1",
             "put inflow 2 3 0 - 1 1 1", "put inflow 2 4 0 - 0.25 0.5 0.75 1", "run 0 3600",
             "get level 2 2 3 -",
             "checkpoint kept", "restore kept", "report told", "finalize", "run 0 3600"]  # fmt: skip
    command = ["valgrind", "--error-exitcode=9", "--leak-check=full",
               "--errors-for-leak-kinds=definite,indirect,possible", program]  # fmt: skip
    done = subprocess.run(
        command, input="\n".join(calls), cwd=tmp_path, env={"TRADEWIND_REPLAY": str(three_hours[0])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
