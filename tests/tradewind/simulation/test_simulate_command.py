"""``tradewind run`` of a config without ``solve:``: what it prints, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind import cli


@pytest.fixture
def command(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Return a function that runs the command line here; returns exit code and both outputs."""
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tradewind", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def test_prints_the_ledger(command, toy_run):
    code, out, err = command("run", toy_run())
    assert (code, err) == (0, "")
    assert out.startswith("toy: forward run\n")
    assert "source.flux -> tank.inflow in kg" in out
    assert "6 observations, simulated minus observed" in out


def test_prints_json(command, toy_run):
    code, out, _ = command("run", toy_run(), "--json")
    told = json.loads(out)
    assert code == 0
    assert told["exchanges"]["source.flux -> tank.inflow"]["periods"] == 4
    assert told["calls"]["tank.tank.step"]["calls"] == 8


def test_goes_on(command, toy_run):
    keep = ("--set", "run.restart={folder: restart}")
    path = toy_run()
    command("run", path, *keep)
    code, out, _ = command("run", path, *keep, "--resume")
    assert code == 0
    assert "2 windows, 2 of them from restart files" in out


def test_goes_on_only_where_files_are_kept(command, toy_run):
    code, out, err = command("run", toy_run(), "--resume")
    assert (code, out) == (2, "")
    assert err == (
        "error: --resume: the config keeps no restart files\n"
        "hint: add run.restart: {folder: restart}, and run once without --resume\n"
    )


def test_a_loss_is_exit_code_2(command, toy_run):
    path = toy_run(("time: mean", "time: instant, tolerance: 1.0e-6"))
    code, out, err = command("run", path)
    assert (code, out) == (2, "")
    assert err.startswith("error: source.flux -> tank.inflow, 2000-01-01 00:00/2000-01-01 06:00: of ")
    assert not list(Path(path.parent).glob("*forward.nc*"))
