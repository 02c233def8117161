"""One answer of a model: what it is given, what of it is refused, how often it is tried."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from tradewind.couplers.coupling.component import Interval
from tradewind.errors import ConfigError, DataError, ModelError, NotDifferentiableError, UnitsError
from tradewind.plugins.external.options import RestartFile
from tradewind.plugins.external.places import Places
from tradewind.plugins.external.process import Program, Running
from tradewind.plugins.external.runs import Runner, Task

HOUR = Interval(datetime(2000, 1, 1), datetime(2000, 1, 1, 1))
WHERE = r"forward run of member 2, 2000-01-01 00:00/2000-01-01 01:00"


def task(options, **changes):
    wanted = tuple(Places.of(options).found.values())
    return replace(Task("forward", 2, HOUR, {}, wanted), **changes)


def run(options, **changes):
    return Runner(options).run(task(options, **changes))


def values(outcome):
    (found,) = outcome.fields.values()
    return found


def left(options):
    return sorted(path.name for path in options.scratch.iterdir())


# ---------------------------------------------------------------------- a run that succeeds
def test_an_answer_is_read_and_nothing_stays(script):
    options = script()
    assert values(run(options)).tolist() == list(1.0 + np.arange(12.0))
    assert left(options) == []


def test_a_model_is_told_what_to_run(script):
    options = script(
        "cat run.nml >> said; echo $1 $THREADS >> said; cp answer.nc output.nc",
        command=["model", "{mode}-{member:02d}"], rendered=["run.nml"],
        environment={"THREADS": "3"}, keep="always",
    )  # fmt: skip
    (options.template / "run.nml").write_text("{start:%H}-{stop:%H} {seconds} ")
    run(options)
    (folder,) = options.scratch.iterdir()
    assert (folder / "said").read_text() == "00-01 3600 forward-02 3\n"
    assert folder.name.startswith("model-forward-20000101T0000-member2-")


def test_a_launcher_comes_first(script):
    options = script(launcher=["env", "WRAPPED=1"], text='test "$WRAPPED" = 1 && cp answer.nc output.nc')
    assert values(run(options))[0] == 1.0


def test_restart_files_are_taken(script):
    options = script("cp answer.nc output.nc; echo new > memory.bin")
    outcome = run(options, takes=(RestartFile(file="memory.bin", at_start="absent"),))
    assert outcome.memory.contents() == {"memory.bin": b"new\n"}


# ---------------------------------------------------------------------- a run that fails
@pytest.mark.parametrize(
    ("text", "kind", "what"),
    [
        ("echo out of grain; exit 9", ModelError, "ended with exit code 9; it said last: out of grain"),
        ("kill -KILL $$", ModelError, r"was killed by signal 9 \(SIGKILL\)"),
        ("true", ModelError, r"output\.nc: ended without writing its output"),
        ("cp grid.nc output.nc", DataError, r"LEVEL in output\.nc: there is no such variable"),
        ("echo no > output.nc", DataError, r"output\.nc: is no netCDF file that can be read"),
    ],
)
def test_what_went_wrong_is_said_with_where_and_what_stays(script, grid_file, text, kind, what):
    options = script(text)
    (options.template / "grid.nc").write_bytes(grid_file.read_bytes())
    with pytest.raises(kind, match=f"{WHERE}, .*{what}") as caught:
        run(options)
    (folder,) = options.scratch.iterdir()
    assert f"its run directory is kept: {folder}" in caught.value.hint
    assert (folder / "tradewind.log").is_file()


@pytest.mark.parametrize(
    ("answer", "kind", "what"),
    [
        ({"LEVEL": (("lat", "lon"), np.zeros((4, 3)))}, DataError, "has lat=4 x lon=3, declared is lat=3"),
        ({"LEVEL": (("lat", "lon"), np.full((3, 4), np.nan))}, DataError, "holds 12 missing or infinite"),
        ({"LEVEL": (("lat", "lon"), np.ones((3, 4)), {"units": "ft"})}, UnitsError, "the file says 'ft'"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused(script, answer, kind, what):
    with pytest.raises(kind, match=f"{WHERE}, LEVEL in output.nc: {what}"):
        run(script(answer=answer))


def test_an_answer_that_the_template_brought_is_not_read(script):
    options = script("true")
    (options.template / "output.nc").write_bytes((options.template / "answer.nc").read_bytes())
    with pytest.raises(ModelError, match=r"output\.nc: ended without writing its output anew"):
        run(options)


def test_a_restart_file_that_was_put_in_is_not_taken_for_a_new_one(script):
    options = script()
    (options.template / "memory.bin").write_bytes(b"old")
    with pytest.raises(ModelError, match=r"memory\.bin: ended without writing its restart file"):
        run(options, takes=(RestartFile(file="memory.bin"),))


def test_a_model_that_takes_too_long_is_given_up(script):
    options = script("echo thinking; sleep 60", timeout=0.3)
    with pytest.raises(
        ModelError, match=r"did not end within 0.3 s .*said last: thinking.*\(raise `timeout`"
    ):
        run(options)


@pytest.mark.parametrize(("keep", "count"), [("never", 0), ("failed", 1), ("always", 1)])
def test_what_stays_of_a_failed_run(script, keep, count):
    options = script("exit 1", keep=keep)
    with pytest.raises(ModelError):
        run(options)
    assert len(left(options)) == count


# ---------------------------------------------------------------------- again
FAILS_TWICE = """
echo attempt >> {log}
test $(wc -l < {log}) -ge 3 || exit 1
cp answer.nc output.nc
"""


def test_a_failed_attempt_is_repeated_in_a_fresh_directory(script, tmp_path):
    options = script(FAILS_TWICE.format(log=tmp_path / "log"), retries=2, keep="never")
    assert values(run(options))[0] == 1.0
    assert (tmp_path / "log").read_text() == "attempt\n" * 3
    assert left(options) == []


def test_attempts_are_counted(script, tmp_path):
    options = script(FAILS_TWICE.format(log=tmp_path / "log"), retries=1)
    with pytest.raises(ModelError, match=r"after 2 attempts"):
        run(options)
    assert (tmp_path / "log").read_text() == "attempt\n" * 2
    assert len(left(options)) == 1  # the last one


def test_the_output_of_an_earlier_attempt_is_never_read(script, tmp_path):
    text = f"test -e {tmp_path}/again && exit 0; touch {tmp_path}/again; cp answer.nc output.nc; exit 1"
    with pytest.raises(ModelError, match="ended without writing its output"):
        run(script(text, retries=1))


def test_an_answer_that_cannot_be_used_is_not_asked_for_again(script, tmp_path):
    text = f"echo attempt >> {tmp_path}/log; echo no > output.nc"
    with pytest.raises(DataError):
        run(script(text, retries=3))
    assert (tmp_path / "log").read_text() == "attempt\n"


# ---------------------------------------------------------------------- before anything runs
def test_what_can_run_passes_the_check_and_nothing_is_started(script, tmp_path):
    Runner(script(f"touch {tmp_path}/started")).check()
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("changes", "kind", "what"),
    [
        ({"command": ["absent-model"]}, ConfigError, "no program 'absent-model'"),
        ({"command": ["/absent/model"]}, ConfigError, "/absent/model: there is no such program"),
        ({"launcher": ["absent-launcher"]}, ConfigError, "no program 'absent-launcher'"),
        ({"adjoint": {"command": ["absent-adjoint"]}}, ConfigError, "no program 'absent-adjoint'"),
        ({"template": "/absent/template"}, DataError, "/absent/template: there is no such template"),
        ({"rendered": ["*.cfg"]}, DataError, r"no file is called '\*\.cfg'"),
        ({"rendered": ["run.nml"]}, ConfigError, r"run\.nml: unknown placeholder \{begin\}"),
        ({"command": ["model", "{begin}"]}, ConfigError, r"unknown placeholder \{begin\}"),
    ],
)
def test_what_cannot_run_is_refused_before(script, changes, kind, what):
    options = script(**changes)
    if options.template.is_dir():
        (options.template / "run.nml").write_text("{begin}")
    with pytest.raises(kind, match=what):
        Runner(options).check()


def test_a_model_that_went_away_is_an_error_when_it_runs(script):
    options = script()
    (options.template / "model").unlink()
    with pytest.raises(ConfigError, match="no program 'model' in the template or on the search path"):
        run(options)


def test_a_model_that_is_not_executable_is_refused(script):
    options = script()
    (options.template / "model").chmod(0o644)
    with pytest.raises(ConfigError, match="the program is not executable"):
        Runner(options).check()


def test_a_derivative_without_program_is_refused(script):
    with pytest.raises(NotDifferentiableError, match="model: the model has no tangent"):
        Runner(script()).derivative("tangent")


# ---------------------------------------------------------------------- several at once
WAITS = """
touch {met}/$1
for i in $(seq 400); do test $(ls {met} | wc -l) -ge 3 && break; sleep 0.05; done
test $(ls {met} | wc -l) -ge 3 && cp answer.nc output.nc
"""
"""Answers when three are there together."""


def members(options, count):
    return [task(options, member=k) for k in range(count)]


def test_members_run_at_the_same_time(script, tmp_path):
    (tmp_path / "met").mkdir()
    options = script(WAITS.format(met=tmp_path / "met"), command=["model", "{member}"], at_once=3)
    outcomes = Runner(options).run_all(members(options, 3))
    assert [values(outcome)[0] for outcome in outcomes] == [1.0] * 3
    assert left(options) == []


def test_outcomes_come_in_the_order_of_the_tasks(script):
    # later members end earlier
    text = "sleep 0.$((5 - $1)); echo $1 > memory.txt; cp answer.nc output.nc"
    options = script(text, command=["model", "{member}"], at_once=2)
    carried = (RestartFile(file="memory.txt", at_start="absent"),)
    outcomes = Runner(options).run_all([replace(t, takes=carried) for t in members(options, 5)])
    assert [o.memory.contents()["memory.txt"] for o in outcomes] == [b"%d\n" % k for k in range(5)]


def test_one_that_fails_ends_the_others(script, tools, tmp_path):
    text = 'test "$1" = 1 && sleep 0.3 && exit 7; sleep 60'
    marker = {"TRADEWIND_TEST": str(tmp_path)}
    options = script(text, command=["model", "{member}"], at_once=3, environment=marker)
    with pytest.raises(ModelError, match=r"^forward run of member 1, .*ended with exit code 7"):
        Runner(options).run_all(members(options, 5))
    assert tools.running(f"TRADEWIND_TEST={tmp_path}") == []
    (kept,) = left(options)  # that of the one that failed, not of those that had to end
    assert "-member1-" in kept


AT_ONCE = """
import sys
from pathlib import Path
from tradewind.plugins.external.process import Program, Running, stopping
from concurrent.futures import ThreadPoolExecutor, wait

running, folder = Running(), Path(sys.argv[2])
for name in "ab":
    (folder / name).mkdir()
with ThreadPoolExecutor(2) as pool, stopping():
    program = Program(("/bin/sh", "-c", "sleep 60 & sleep 60"), {"TRADEWIND_TEST": sys.argv[1]})
    futures = [pool.submit(program.run, folder / name, running) for name in "ab"]
    try:
        # within: the signal may come as soon as this is read
        print("ready", flush=True)
        wait(futures)
    finally:
        running.end()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_all_of_them(tmp_path, tools, number):
    marker = f"at-once-{tmp_path}"
    command = [sys.executable, "-c", AT_ONCE, marker, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "ready\n"
        for _ in range(100):
            if sum("sleep 60" in line for line in tools.running(marker)) >= 4:
                break
            time.sleep(0.05)
        parent.send_signal(number)
        assert parent.wait(30) != 0
    assert tools.running(marker) == []


def test_nothing_is_started_after_the_end(tmp_path):
    running = Running()
    running.end()
    with pytest.raises(CancelledError):
        Program(("/bin/sh", "-c", "touch started")).run(tmp_path, running)
    assert not (tmp_path / "started").exists()
