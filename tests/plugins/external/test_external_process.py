"""Programs that end well, badly, late or never; nothing of them stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from uuid import uuid4

import pytest

from tradewind.errors import ConfigError, ModelError
from tradewind.plugins.external import process
from tradewind.plugins.external.process import LOG, Program, clean_environment, find_program, last_lines


def sh(text, **keywords):
    return Program(("/bin/sh", "-c", text), **keywords)


@pytest.fixture
def marked(tools):
    """Return an environment that marks processes, and a function that waits until none is left."""
    marker = uuid4().hex

    def left():
        for _ in range(50):
            if not tools.running(marker):
                return []
            time.sleep(0.1)
        return tools.running(marker)

    return {"TRADEWIND_TEST": marker}, left


# ---------------------------------------------------------------------- ends
def test_what_a_program_prints_is_in_its_log(tmp_path):
    sh("echo out; echo err >&2").run(tmp_path)
    assert (tmp_path / LOG).read_text() == "out\nerr\n"


def test_it_runs_in_the_folder_and_finds_no_input(tmp_path):
    sh("pwd; cat; echo end").run(tmp_path)
    assert (tmp_path / LOG).read_text() == f"{tmp_path}\nend\n"


def test_words_are_not_seen_by_a_shell(tmp_path):
    Program(("/bin/echo", "$HOME; *", "a  b")).run(tmp_path)
    assert (tmp_path / LOG).read_text() == "$HOME; * a  b\n"


def test_an_exit_code_is_an_error_with_the_last_lines(tmp_path):
    text = "for i in 1 2 3 4 5 6 7; do echo line $i; done; exit 3"
    with pytest.raises(ModelError) as caught:
        sh(text).run(tmp_path)
    assert caught.value.what == (
        "ended with exit code 3; it said last: line 3 | line 4 | line 5 | line 6 | line 7"
    )
    assert caught.value.where.startswith("/bin/sh -c for i in 1 2")


def test_a_silent_failure_has_no_last_lines(tmp_path):
    with pytest.raises(ModelError, match=r"ended with exit code 1$"):
        sh("exit 1").run(tmp_path)


@pytest.mark.parametrize(("name", "number"), [("SEGV", 11), ("KILL", 9)])
def test_a_signal_is_named(tmp_path, name, number):
    with pytest.raises(ModelError, match=rf"was killed by signal {number} \(SIG{name}\)"):
        sh(f"kill -{name} $$").run(tmp_path)


def test_a_program_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(ModelError, match=r"cannot be started: the program, or the interpreter .* missing"):
        Program((str(tmp_path / "absent"),)).run(tmp_path)


def test_a_program_without_interpreter_is_an_error(tmp_path):
    path = tmp_path / "model"
    path.write_text("#!/no/such/shell\n")
    path.chmod(0o755)
    with pytest.raises(ModelError, match="the interpreter that it names, is missing"):
        Program((str(path),)).run(tmp_path)


def test_a_file_that_is_no_program_is_an_error(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(b"\x01\x02\x03")
    path.chmod(0o755)
    with pytest.raises(ModelError, match="it is no program, or its first line names no interpreter"):
        Program((str(path),)).run(tmp_path)


# ---------------------------------------------------------------------- time
def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path, marked):
    environment, left = marked
    program = sh("echo begun; sleep 60 & sleep 60", environment=environment, timeout=0.3)
    with pytest.raises(ModelError, match=r"did not end within 0.3 s and was killed; it said last: begun"):
        program.run(tmp_path)
    assert left() == []


def test_a_program_that_does_not_listen_is_killed_too(tmp_path, marked, monkeypatch):
    monkeypatch.setattr(process, "GRACE", 0.2)
    environment, left = marked
    stubborn = sh("trap '' TERM; while true; do sleep 0.05; done", environment=environment, timeout=0.3)
    with pytest.raises(ModelError, match="did not end within"):
        stubborn.run(tmp_path)
    assert left() == []


def test_a_program_is_asked_before_it_is_killed(tmp_path):
    program = sh("trap 'echo goodbye; exit 0' TERM; while true; do sleep 0.05; done", timeout=0.3)
    with pytest.raises(ModelError, match=r"it said last: .*goodbye"):
        program.run(tmp_path)


def test_what_a_program_leaves_behind_ends_with_it(tmp_path, marked):
    environment, left = marked
    sh("sleep 60 & exit 0", environment=environment).run(tmp_path)
    assert left() == []


RUNS = """
import os, sys
from pathlib import Path
from tradewind.plugins.external.process import Program
print("ready", flush=True)
try:
    Program(("/bin/sh", "-c", "sleep 60 & sleep 60"), {"TRADEWIND_TEST": sys.argv[1]}).run(Path(sys.argv[2]))
except KeyboardInterrupt:
    sys.exit(42)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 42), (signal.SIGTERM, 128 + 15)])
def test_an_interrupt_leaves_nothing_running(tmp_path, marked, tools, number, code):
    environment, left = marked
    marker = environment["TRADEWIND_TEST"]
    command = [sys.executable, "-c", RUNS, marker, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        for _ in range(100):
            if sum("sleep 60" in line for line in tools.running(marker)) >= 2:
                break
            time.sleep(0.05)
        parent.send_signal(number)
        assert parent.wait(20) == code
    assert left() == []


def test_a_handler_of_somebody_else_is_left_alone(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        sh("true").run(tmp_path)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    sh("true").run(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before


# ---------------------------------------------------------------------- environment
def test_a_program_does_not_learn_that_its_parent_is_a_rank(tmp_path, monkeypatch):
    for name in ("PMI_RANK", "PMIX_NAMESPACE", "OMPI_COMM_WORLD_RANK", "MPI_LOCALRANKID", "SLURM_PROCID"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    sh("env", environment={"OMP_NUM_THREADS": "3"}).run(tmp_path)
    found = dict(line.split("=", 1) for line in (tmp_path / LOG).read_text().splitlines() if "=" in line)
    assert not [name for name in found if name.startswith(("PMI", "OMPI", "MPI", "SLURM_PROCID"))]
    assert (found["OMP_NUM_THREADS"], found["SLURM_JOB_ID"]) == ("3", "17")
    assert found["PATH"] == os.environ["PATH"]


def test_what_is_asked_for_is_set_after_cleaning():
    assert clean_environment({"PMI_FD": "5", "HOME": "/root"}) == {"HOME": "/root"}


@pytest.mark.mpi
def test_ranks_of_a_launcher_end_with_it(tmp_path, marked):
    launcher = shutil.which("mpiexec")
    if launcher is None:
        pytest.skip("no mpiexec")
    environment, left = marked
    program = Program((launcher, "-n", "2", "sleep", "60"), environment, timeout=1.5)
    with pytest.raises(ModelError, match="did not end within"):
        program.run(tmp_path)
    assert left() == []


# ---------------------------------------------------------------------- finding programs
def test_a_bare_name_is_a_file_of_the_template_or_on_the_path(tmp_path):
    (tmp_path / "model").write_text("#!/bin/sh\n")
    (tmp_path / "model").chmod(0o755)
    assert find_program("model", tmp_path) == "./model"
    assert find_program("sh", tmp_path) == shutil.which("sh")
    assert find_program("/bin/sh", tmp_path) == "/bin/sh"


def test_a_program_that_is_a_link_keeps_its_name(tmp_path, monkeypatch):
    # the Python of a virtual environment is one, and would lose its packages
    (tmp_path / "python").symlink_to(sys.executable)
    assert find_program(f"{tmp_path}/python", tmp_path) == f"{tmp_path}/python"
    monkeypatch.chdir(tmp_path)
    assert find_program("./python", tmp_path) == f"{tmp_path}/python"


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("no-such-program", "no program 'no-such-program' in the template or on the search path"),
        ("/no/such/program", "/no/such/program: there is no such program"),
        ("dull", r"dull: the program is not executable \(chmod \+x"),
    ],
)
def test_a_program_that_cannot_be_started_is_refused(tmp_path, word, what):
    (tmp_path / "dull").write_text("")
    with pytest.raises(ConfigError, match=what):
        find_program(word, tmp_path)


def test_a_long_log_is_read_from_its_end(tmp_path):
    (tmp_path / "log").write_text("x" * 100_000 + "\n" + "y" * 300 + "\nlast\n\n")
    said = last_lines(tmp_path / "log")
    assert said.endswith(f"{'y' * 200} | last")
    assert len(said) < 1100
    assert last_lines(tmp_path / "absent") == ""
