"""Which Python is embedded, and what is said where none can be."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Host = Callable[..., Any]


def opened(host: Host, **environment: str) -> Any:
    return host("init a.yaml; finalize", env=environment).answer("init")


def test_the_python_that_was_asked_for_is_the_one(host: Host) -> None:
    assert opened(host, TRADEWIND_PYTHON=sys.executable).code == "ok"


def test_a_python_that_is_not_there(host: Host) -> None:
    answer = opened(host, TRADEWIND_PYTHON="/nowhere/bin/python")
    assert answer.code == "python"
    assert answer.message.startswith("TRADEWIND_PYTHON is /nowhere/bin/python, which is no python program")


def test_a_script_that_starts_python_is_none(host: Host, tmp_path: Path) -> None:
    shim = tmp_path / "python3"
    shim.write_text("#!/bin/sh\nexec python3\n")
    shim.chmod(0o755)
    assert opened(host, TRADEWIND_PYTHON=str(shim)).code == "python"


def test_scripts_on_the_path_are_passed_over(host: Host, tmp_path: Path) -> None:
    for folder in ("shims", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shims" / "python-of-test").write_text("#!/bin/sh\nexec python3\n")
    (tmp_path / "shims" / "python-of-test").chmod(0o755)
    (tmp_path / "bin" / "python-of-test").symlink_to("/bin/ls")
    answer = opened(host, TRADEWIND_PYTHON="python-of-test", PATH=f"{tmp_path / 'shims'}:{tmp_path / 'bin'}")
    assert f"of {tmp_path / 'bin' / 'python-of-test'} can be loaded" in answer.message


def test_something_else_that_is_a_program(host: Host) -> None:
    answer = opened(host, TRADEWIND_PYTHON="/bin/ls")
    assert answer.code == "python"
    assert "no libpython" in answer.message


def test_a_library_that_is_none(host: Host, tmp_path: Path) -> None:
    library = tmp_path / "libpython3.11.so"
    library.write_text("not a library")
    answer = opened(host, TRADEWIND_LIBPYTHON=str(library))
    assert answer.code == "python"
    assert "TRADEWIND_LIBPYTHON" in answer.message


def test_a_library_of_something_else(host: Host) -> None:
    answer = opened(host, TRADEWIND_LIBPYTHON="libm.so.6")
    assert answer.code == "python"
    assert "this libpython has no Py_IsInitialized" in answer.message


def environment(folder: Path, **settings: str) -> str:
    """Return the python of a virtual environment with these settings."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    return str(folder / "bin" / "python")


def test_a_python_that_is_too_old(host: Host, tmp_path: Path) -> None:
    answer = opened(host, TRADEWIND_PYTHON=environment(tmp_path / "env", home="/usr/bin", version="3.9.2"))
    assert answer.code == "python"
    assert answer.message.endswith("is Python 3.9: 3.11 or later is needed")


def test_an_installation_that_is_damaged_ends_nothing(host: Host, tmp_path: Path) -> None:
    library = tmp_path / "base" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (library / "lib-dynload").mkdir(parents=True)
    (library / "os.py").touch()  # by this the library is known; all else is missing
    python = environment(
        tmp_path / "env", home=str(tmp_path / "base" / "bin"), version="{}.{}".format(*sys.version_info)
    )
    told = host("init a.yaml; init a.yaml", env={"TRADEWIND_PYTHON": python})
    assert told.codes == ["init python", "init python"]
    assert {"does not start" in answer.message for answer in told.answers("init")} == {True}


def test_the_environment_in_use_comes_before_the_path(host: Host, tmp_path: Path) -> None:
    environment(tmp_path / "env", home="/usr/bin", version="3.9.2")
    answer = opened(host, TRADEWIND_PYTHON="", VIRTUAL_ENV=str(tmp_path / "env"))
    assert "is Python 3.9" in answer.message


def test_after_a_failure_another_may_be_tried(host: Host) -> None:
    told = host(
        "setenv TRADEWIND_PYTHON /nowhere; init a.yaml;"
        f" setenv TRADEWIND_PYTHON {sys.executable}; init a.yaml; finalize"
    )
    assert told.codes == ["init python", "init ok", "finalize ok"]


@pytest.fixture
def emptied(stand_in: Path) -> Path:
    (stand_in / "tradewind" / "hosting" / "entry.py").unlink()
    return stand_in


def test_a_tradewind_that_cannot_be_imported(host: Host, emptied: Path) -> None:
    answer = opened(host)
    assert (answer.code, answer.traced) == ("python", True)
    assert "tradewind cannot be imported by" in answer.message
    assert "set TRADEWIND_PYTHON" in answer.message


def test_a_package_that_breaks_the_import(host: Host, emptied: Path) -> None:
    (emptied / "numpy.py").write_text("raise RuntimeError('poisoned')\n")
    (emptied / "tradewind" / "hosting" / "entry.py").write_text("import numpy\n")
    answer = opened(host)
    assert (answer.code, answer.traced) == ("python", True)
    assert "poisoned" in answer.message


def test_an_import_may_succeed_the_second_time(host: Host, emptied: Path) -> None:
    (emptied / "tradewind" / "hosting" / "entry.py").write_text(
        "import os\n"
        "if not os.path.exists('second'):\n"
        "    os.mkdir('second')\n"
        "    raise RuntimeError('not yet')\n"
        "class Session:\n"
        "    abort_on_error = True\n"
        "    def close(self): pass\n"
        "def open(config, comm): return Session()\n"
        "def nothing(): pass\n"
        "def told(error): return (1, '', '', str(error), '')\n"
    )
    assert host("init a.yaml; init a.yaml; finalize").codes == ["init python", "init ok", "finalize ok"]


def test_a_host_that_sets_its_own_pythonhome_is_not_misled(host: Host) -> None:
    assert opened(host, PYTHONHOME="/nowhere").code == "ok"


WITHIN = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
session = ctypes.c_int64()
status = ctypes.create_string_buffer(20000)
code = library.tradewind_init(ctypes.byref(session), b"a.yaml", None, None, status)
code = code or library.tradewind_ping(session, ctypes.c_int64(10), 1, status)
code = code or library.tradewind_finalize(ctypes.byref(session), status)
sys.exit(code)
"""


def test_a_python_program_may_be_the_host(hosting: Any, launch: Any, stand_in: Path) -> None:
    library = hosting.lib / "libtradewind.so"
    environment = {"PYTHONPATH": str(stand_in), "TRADEWIND_PYTHON": "/nowhere"}  # its own interpreter is used
    done = launch(sys.executable, "-c", WITHIN, library, env=environment)
    assert done.stdout == "closed\n"
