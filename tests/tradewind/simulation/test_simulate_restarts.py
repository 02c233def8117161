"""A forward run that is broken off, at any step, goes on to the same bits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors import safe_open

from tradewind.errors import ConfigError, DataError, SpecError
from tradewind.execute import execute
from tradewind.simulation import Begin, simulate
from tradewind.simulation.restarts import ENTRY

EVERY_HOUR = "run.restart={folder: restart, every: 1h}"
STEPS = 24
"""Of both windows together: some step ends every hour."""


def numbers(path: Path) -> dict[str, np.ndarray]:
    """Return every variable of the root group as it is stored."""
    with xr.open_dataset(path, decode_cf=False) as ds:
        return {str(name): v.values for name, v in ds.variables.items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(v, other[n], equal_nan=v.dtype.kind == "f") for n, v in one.items()
    )


@dataclass
class Interrupt:
    """Interrupts a run, as Ctrl-C does, after so many steps."""

    after: int

    def __call__(self, name, length):
        def advanced():
            self.after -= 1
            if self.after == 0:
                raise KeyboardInterrupt

        return advanced


def broken_off(path: Path, after: int, *overrides: str, begin: Begin = Begin.ANEW) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(path, [EVERY_HOUR, *overrides], None, Interrupt(after), begin)


@pytest.fixture
def whole(toy_run) -> dict[str, np.ndarray]:
    """Return the numbers of a run that nothing has interrupted."""
    path = toy_run(folder="whole")
    execute(path)
    return numbers(path.with_name("forward.nc"))


# ---------------------------------------------------------------------- the same bits
class TestGoingOn:
    @pytest.mark.parametrize("after", [1, 2, 3, 5, 6, 7, 11, 12, 13, 16, 21, 23])
    def test_after_any_step_gives_the_same_bits(self, toy_run, whole, after):
        """Within a period of the exchange its mean is half made; between two, one layer of time is full."""
        path = toy_run()
        broken_off(path, after)
        assert not path.with_name("forward.nc").exists()
        result = execute(path, [EVERY_HOUR], begin=Begin.RESUME)
        assert same(numbers(path.with_name("forward.nc")), whole)
        # the last step before the interruption was not kept
        assert result.resumed == {True: 0, after > 1: 1, after > 13: 2}[True]

    def test_again_and_again_gives_the_same_bits(self, toy_run, whole):
        path, begin = toy_run(), Begin.ANEW
        for _ in range(5):
            broken_off(path, 4, begin=begin)
            begin = Begin.RESUME
        execute(path, [EVERY_HOUR], begin=begin)
        assert same(numbers(path.with_name("forward.nc")), whole)

    @pytest.mark.parametrize("after", [5, 16])
    def test_what_was_seen_within_a_window_is_kept(self, toy_run, after):
        """Looks at hours 3, 6 and 9, and at the ends; the source and the tank run ahead of each other."""
        apart = [toy_run(folder=folder) for folder in ("whole", "broken")]
        for path in apart:
            within = np.array(["2000-01-01T03", "2000-01-01T09", "2000-01-01T12"] * 2, dtype="datetime64[ns]")
            within[3:] += np.timedelta64(9, "h")
            file = path.with_name("levels.nc")
            with xr.open_dataset(file) as ds:
                changed = ds.load().assign_coords(time=("obs", within, {"standard_name": "time"}))
            changed.to_netcdf(file)
        execute(apart[0])
        broken_off(apart[1], after)
        execute(apart[1], [EVERY_HOUR], begin=Begin.RESUME)
        whole, broken = (numbers(path.with_name("forward.nc")) for path in apart)
        assert same(broken, whole)
        assert np.ptp(whole["y_simulated"][:3]) > 0

    def test_steps_only_what_is_left(self, toy_run):
        path = toy_run()
        broken_off(path, 19)
        calls = {c.component: c.calls for c in simulate(path, [EVERY_HOUR], begin=Begin.RESUME).calls}
        # 18 hours were kept, and with hour 18 the source had come to the end of its period already
        assert calls == {"source": 6, "tank": 2}

    def test_of_a_finished_run_steps_nothing(self, toy_run, whole):
        path = toy_run()
        execute(path, [EVERY_HOUR])
        path.with_name("forward.nc").unlink()
        result = execute(path, [EVERY_HOUR], begin=Begin.RESUME)
        assert (result.calls, result.resumed) == ((), 2)
        assert same(numbers(path.with_name("forward.nc")), whole)

    def test_where_nothing_was_kept_begins_at_the_start(self, toy_run, whole):
        path = toy_run()
        assert execute(path, [EVERY_HOUR], begin=Begin.RESUME).resumed == 0
        assert same(numbers(path.with_name("forward.nc")), whole)

    def test_in_another_folder_is_no_other_run(self, toy_run, whole, tmp_path):
        path = toy_run()
        broken_off(path, 15)
        moved = path.parent.rename(tmp_path / "moved") / path.name
        assert execute(moved, [EVERY_HOUR], begin=Begin.RESUME).resumed == 2
        assert same(numbers(moved.with_name("forward.nc")), whole)

    def test_with_more_windows_keeps_those_that_are_finished(self, toy_run):
        path = toy_run()
        observed = "observations=null"
        simulate(path, [EVERY_HOUR, observed])
        longer = simulate(path, [EVERY_HOUR, observed, "run.stop=2000-01-02T12:00"], begin=Begin.RESUME)
        assert (len(longer.windows), longer.resumed) == (3, 2)
        assert {c.component: c.calls for c in longer.calls} == {"source": 12, "tank": 4}

    def test_how_often_files_are_written_changes_nothing(self, toy_run, whole):
        path = toy_run()
        broken_off(path, 11)
        execute(path, ["run.restart={folder: restart}"], begin=Begin.RESUME)
        assert same(numbers(path.with_name("forward.nc")), whole)


@pytest.mark.parametrize("step", [2, 7])
def test_a_killed_process_goes_on_to_the_same_bits(toy_run, whole, step):
    """The process gets SIGKILL in a step of the tank: nothing is tidied up."""
    path = toy_run()
    command = [sys.executable, "-m", "tradewind", "run", str(path), "--set", EVERY_HOUR]
    environment = dict(os.environ, OMP_NUM_THREADS="1", TOY_KILL=str(step))
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not path.with_name("forward.nc").exists()
    del environment["TOY_KILL"]
    done = subprocess.run([*command, "--resume"], env=environment, capture_output=True, text=True, check=True)
    assert "from restart files" in done.stdout
    assert same(numbers(path.with_name("forward.nc")), whole)


def test_a_process_that_is_asked_to_end_leaves_its_last_file(toy_run, whole):
    path = toy_run()
    command = [sys.executable, "-m", "tradewind", "run", str(path), "--set", EVERY_HOUR]
    environment = dict(os.environ, OMP_NUM_THREADS="1", TOY_WAIT="5")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    # it says so in the fifth step, and waits to be ended
    assert process.stderr.readline() == b"waiting\n"
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert execute(path, [EVERY_HOUR], begin=Begin.RESUME).resumed == 2
    assert same(numbers(path.with_name("forward.nc")), whole)


# ---------------------------------------------------------------------- when files are written
class TestRhythm:
    def kept(self, path: Path, after: int, *overrides: str) -> tuple[bool, int]:
        """Return whether the first window is finished, and how many hours stand in the ledger."""
        with pytest.raises(KeyboardInterrupt):
            execute(path, list(overrides), None, Interrupt(after))
        (file,) = path.with_name("restart").glob("*.restart")
        with safe_open(file, framework="pt") as found:
            return '"finished": true' in found.metadata()[ENTRY], len(found.get_tensor("ledger"))

    def test_is_every_coupling_interval_by_default(self, toy_run):
        assert self.kept(toy_run(), 8, "run.restart={folder: restart}") == (False, 1)

    def test_a_window_is_kept_at_its_end_whatever_the_rhythm(self, toy_run):
        assert self.kept(toy_run(), 13, "run.restart={folder: restart, every: 1d}") == (True, 2)

    def test_between_two_steps_is_refused(self, toy_run):
        with pytest.raises(ConfigError, match=r"run\.restart\.every.*00:30"):
            simulate(toy_run(), ["run.restart={folder: restart, every: 30min}"])

    def test_is_checked_before_the_run(self, toy_run):
        from tradewind.check import check

        faults = check(toy_run(), ["run.restart={folder: restart, every: 30min}"]).faults
        assert len(faults) == 1
        assert "run.restart" in faults[0]


# ---------------------------------------------------------------------- what is refused
class TestRefused:
    @pytest.fixture
    def begun(self, toy_run) -> Path:
        path = toy_run()
        broken_off(path, 9)
        return path

    def file(self, path: Path) -> Path:
        (found,) = path.with_name("restart").glob("*.restart")
        return found

    @pytest.mark.parametrize(
        ("override", "part"),
        [
            ("components.source.options={strength: 2.0}", "components.source differs"),
            ("exchanges.0.every=3h", "exchanges.0 differs"),
            ("output.every=12h", "output.every differs"),
            ("output.fields=[tank.level]", "output.fields differs"),
            ("run.seed=1", "run differs"),
            ("run.window=6h", "window differs"),
            ("observations=null", "observations, file levels.nc differ"),
        ],
    )
    def test_is_the_file_of_another_config(self, begun, override, part):
        with pytest.raises(DataError) as caught:
            simulate(begun, [EVERY_HOUR, override], begin=Begin.RESUME)
        assert f"was written by another run: {part}" in str(caught.value)
        assert self.file(begun).name in str(caught.value)
        assert "without --resume" in str(caught.value)

    def test_is_the_file_of_other_data(self, begun):
        with xr.open_dataset(begun.with_name("levels.nc")) as ds:
            other = ds.load() + 1
        other.to_netcdf(begun.with_name("levels.nc"))
        with pytest.raises(DataError, match=r"another run: file levels\.nc differs"):
            simulate(begun, [EVERY_HOUR], begin=Begin.RESUME)

    def test_is_the_file_of_other_code(self, begun):
        toys = begun.with_name("toys.py")
        toys.write_text(toys.read_text() + "# changed\n")
        with pytest.raises(DataError, match=r"another run: file toys\.py differs"):
            simulate(begun, [EVERY_HOUR], begin=Begin.RESUME)

    @pytest.mark.parametrize("spoil", ["cut", "emptied", "flipped"])
    def test_is_a_damaged_file_by_its_name(self, begun, spoil):
        file = self.file(begun)
        content = bytearray(file.read_bytes())
        content[-9] ^= 1
        file.write_bytes({"cut": content[:-8], "emptied": b"", "flipped": content}[spoil])
        with pytest.raises(DataError, match=rf"{file.name}: is damaged"):
            simulate(begun, [EVERY_HOUR], begin=Begin.RESUME)

    def test_is_a_file_of_another_kind(self, begun):
        from safetensors.torch import save_file

        save_file({"x": torch.zeros(1)}, self.file(begun))
        with pytest.raises(DataError, match="is no restart file"):
            simulate(begun, [EVERY_HOUR], begin=Begin.RESUME)

    def test_is_going_on_without_restart_files(self, toy_run):
        with pytest.raises(ConfigError, match=r"keeps no restart files \(add run\.restart"):
            execute(toy_run(), begin=Begin.RESUME)

    def test_is_a_folder_that_is_a_file(self, toy_run):
        with pytest.raises(ConfigError, match="this is a file"):
            simulate(toy_run(), ["run.restart={folder: toy.yaml}"])

    def test_is_a_folder_in_no_folder(self, toy_run):
        with pytest.raises(ConfigError, match="does not exist"):
            simulate(toy_run(), ["run.restart={folder: none/restart}"])

    def test_changes_no_file(self, begun):
        before = self.file(begun).read_bytes()
        with pytest.raises(DataError):
            simulate(begun, [EVERY_HOUR, "run.seed=1"], begin=Begin.RESUME)
        assert self.file(begun).read_bytes() == before


# ---------------------------------------------------------------------- the folder
class TestFolder:
    def test_holds_one_file_for_each_window_and_nothing_else(self, toy_run):
        path = toy_run()
        simulate(path, [EVERY_HOUR])
        names = sorted(p.name for p in path.with_name("restart").iterdir())
        assert names == ["toy.20000101T000000.restart", "toy.20000101T120000.restart"]

    def test_is_cleared_of_what_a_killed_run_has_left(self, toy_run):
        path = toy_run()
        folder = path.with_name("restart")
        folder.mkdir()
        (folder / ".toy.aside-1").mkdir()
        (folder / ".toy.aside-1" / "moment").touch()
        (folder / ".toy.20000101T000000.restart.0a1b.part").touch()
        others = folder / ".toy.other.20000101T000000.restart.0a1b.part"
        others.touch()
        simulate(path, [EVERY_HOUR])
        assert [p.name for p in folder.iterdir() if p.name.startswith(".")] == [others.name]

    def test_beginning_anew_removes_what_was_kept(self, toy_run):
        path = toy_run()
        simulate(path, [EVERY_HOUR])
        with pytest.raises(KeyboardInterrupt):
            simulate(path, [EVERY_HOUR], None, Interrupt(1))
        assert not list(path.with_name("restart").glob("*.restart"))

    def test_another_run_in_it_is_left_alone(self, toy_run):
        path = toy_run()
        other = path.rename(path.with_name("toy.other.yaml"))
        simulate(other, [EVERY_HOUR])
        path = toy_run()
        simulate(path, [EVERY_HOUR])
        assert len(list(path.with_name("restart").glob("*.restart"))) == 4


def test_a_state_that_cannot_be_kept_is_named(toy_run):
    path = toy_run()
    toys = path.with_name("toys.py")
    toys.write_text(toys.read_text().replace('{"draws": draws + 1}', '{"draws": {draws + 1}}').replace(
        'int(state.extras["draws"])', "0"))  # fmt: skip
    with pytest.raises(SpecError, match=r"component 'source'.*no plain values"):
        simulate(path, [EVERY_HOUR])


def test_times_of_other_calendars_are_kept(toy_run, tmp_path):
    changes = (("window: 12h", "calendar: noleap"), ("start: 2000-01-01", "start: 2000-02-28"),
               ("stop: 2000-01-02", "stop: 2000-03-01"))  # fmt: skip
    path = toy_run(*changes)
    alone, rest = "observations=null", [EVERY_HOUR]
    execute(path, [alone])
    whole = numbers(path.with_name("forward.nc"))
    broken_off(path, 16, alone)
    execute(path, [*rest, alone], begin=Begin.RESUME)
    assert same(numbers(path.with_name("forward.nc")), whole)
    assert timedelta(seconds=float(np.ptp(whole["time"]))) == timedelta(hours=18)
