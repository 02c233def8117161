"""``tradewind regrid``: files in, files out, and one clear message when it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner, Result

from tradewind.bench.inversion.permian import same_numbers
from tradewind.cli import app
from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.regridder import Regridder

Command = Callable[..., Result]
NAN = float("nan")


def fine() -> Grid:
    return Grid.latlon([-5.0, 5.0], [5.0, 15.0], lat_bounds=[-10, 0, 10], lon_bounds=[0, 10, 20])


def coarse() -> Grid:
    return Grid.latlon([0.0], [5.0, 15.0], lat_bounds=[-10, 10], lon_bounds=[0, 10, 20])


def fields() -> xr.Dataset:
    """Two steps of a temperature, whose means over columns are 2 and 4, then 12 and (a gap) 16."""
    ds = fine().to_dataset()
    values = np.array([[[1.0, 2.0], [3.0, 6.0]], [[11.0, NAN], [13.0, 16.0]]], dtype="f4")
    ds["t"] = (("time", "lat", "lon"), values, {"units": "K"})
    ds["q"] = (("lon", "lat"), np.ones((2, 2)))
    ds = ds.assign_coords(time=("time", [0, 6], {"units": "hours since 1996-01-01"}))
    return ds.assign(p0=((), 1e5, {"units": "Pa"})).assign_attrs(title="two steps", history="made by hand")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    fields().to_netcdf("in.nc", unlimited_dims=["time"])
    coarse().to_dataset().to_netcdf("grid.nc")
    return tmp_path


@pytest.fixture
def command(folder: Path) -> Command:
    def run(*options: str, out: str = "out.nc", into: tuple[str, ...] = ("--to", "grid.nc")) -> Result:
        return CliRunner().invoke(
            app, ["regrid", "in.nc", out, "--backend", "native", *into, *options], prog_name="tradewind"
        )

    return run


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 2, result.output
    assert all(word in result.output for word in words), result.output
    assert "Traceback" not in result.output
    assert not Path("out.nc").exists()
    assert not list(Path().glob(".*part"))


def read(path: str | Path = "out.nc") -> xr.Dataset:
    with xr.open_dataset(path) as ds:
        return ds.load()


# ---------------------------------------------------------------------- what comes out
def test_means_by_hand(command):
    assert command().exit_code == 0
    out = read()
    assert out.t.dims == ("time", "lat", "lon")
    assert out.t.values == pytest.approx(np.array([[[2.0, 4.0]], [[12.0, 16.0]]]), abs=1e-6)


def test_the_target_grid_is_in_the_file(command):
    command()
    assert Grid.from_file("out.nc") == coarse()


def test_kinds_times_attributes_and_scalars_stay(command):
    command()
    out = read()
    assert out.t.dtype == "float32"
    assert out.t.attrs["units"] == "K"
    assert out.time.values[1] == np.datetime64("1996-01-01T06:00")
    assert (float(out.p0), out.p0.attrs["units"], out.attrs["title"]) == (1e5, "Pa", "two steps")
    assert out.encoding["unlimited_dims"] == {"time"}


def test_the_file_says_how_it_was_made(command, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/tradewind", "regrid", "in.nc", "out.nc"])
    command("--method", "nearest_s2d")
    out = read()
    assert out.attrs["regridding"] == "nearest_s2d"
    first, before = out.attrs["history"].splitlines()
    assert ": tradewind regrid in.nc out.nc (tradewind " in first
    assert before == "made by hand"


def test_the_summary_says_what_was_done(command):
    output = command().output
    assert "conservative, fracarea, backend native" in output
    assert "regridded: t, q" in output
    assert "carried over: p0, time" in output


def test_what_is_left_out_is_said(command):
    fields().assign(zonal=("lat", [1.0, 2.0])).to_netcdf("in.nc")
    assert "left out: zonal, it lies along lat only" in command().output


def test_only_the_variables_wanted(command):
    command("--variables", "q")
    assert "t" not in read()


def test_a_time_axis_of_length_zero_stays_so(command):
    fields().isel(time=slice(0, 0)).to_netcdf("in.nc", unlimited_dims=["time"])
    assert command().exit_code == 0
    assert read().t.shape == (0, 1, 2)


def test_the_file_is_the_datasets_in_memory(command):
    from tradewind.couplers.regrid.datasets.dataset import regrid_dataset

    command()
    regridder = Regridder.build(fine(), coarse(), "conservative", backend="native")
    expected = regrid_dataset(regridder, read("in.nc"))
    out = read()
    for name in ("t", "q"):
        assert out[name].dims == expected[name].dims
        assert np.array_equal(out[name], expected[name])


def test_small_blocks_give_the_same_file(command, monkeypatch):
    command(out="whole.nc")
    monkeypatch.setattr("tradewind.couplers.regrid.datasets.variables.BLOCK_BYTES", 1)
    command()
    assert same_numbers(Path("whole.nc"), Path("out.nc"))


def test_a_target_of_points_names_its_places(command):
    Grid.points([8.0, 12.0], [0.0, 0.0]).to_dataset().to_netcdf("grid.nc")
    assert command("--method", "bilinear").exit_code == 0
    out = read()
    assert out.t.shape == (2, 2)
    assert {"lat", "lon"} <= set(out.t.coords)


# ---------------------------------------------------------------------- options
def test_a_threshold_and_a_fill(command):
    command("--threshold", "0.6", "--fill", "-9")
    with xr.open_dataset("out.nc", mask_and_scale=False) as out:
        assert out.t.values[1].tolist() == [[12.0, -9.0]]
        assert out.t.attrs["_FillValue"] == -9.0


def test_integers_are_refused_unless_they_are_numbers(command):
    ds = fields()
    ds["people"] = (("lat", "lon"), np.array([[1, 2], [2, 4]]))
    ds.to_netcdf("in.nc")
    refused(command(), "'people'", "averaged by conservative", "nearest_s2d")
    assert command("--integers-as-numbers").exit_code == 0
    assert read().people.values == pytest.approx(np.array([[1.5, 3.0]]))


def test_weights_are_saved_and_used_again(command):
    command("--save-weights", "map.nc", out="first.nc")
    assert command(into=("--weights", "map.nc", "--to", "grid.nc")).exit_code == 0
    assert np.array_equal(read().t, read("first.nc").t)


def test_the_grid_in_a_weight_file_will_do(command):
    command("--save-weights", "map.nc", out="first.nc")
    assert command(into=("--weights", "map.nc")).exit_code == 0
    assert np.array_equal(read().t.values.ravel(), read("first.nc").t.values.ravel())


def test_weights_of_other_grids_are_refused_with_both_named(command):
    Regridder.build(coarse(), fine(), "conservative", backend="native").to_file("map.nc")
    refused(command(into=("--weights", "map.nc")), "latlon grid 2x2", "was given, the file has")


def test_a_cache_is_filled_and_used(command, folder):
    command("--cache", "kept", out="first.nc")
    (kept,) = (folder / "kept").glob("*.nc")
    before = kept.stat().st_mtime_ns
    assert command("--cache", "kept").exit_code == 0
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("option", [("--method", "bilinear"), ("--norm", "dstarea"), ("--cache", "kept")])
def test_weights_that_are_made_already_take_no_method(command, option):
    command("--save-weights", "map.nc", out="first.nc")
    refused(command(*option, into=("--weights", "map.nc")), option[0])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--method", "cubic"), "cubic"),
        (("--poles", "south"), "south"),
        (("--extrapolate", "nearest"), "conservative"),
        (("--backend", "magic"), "magic"),
        (("--threshold", "2"), "threshold"),
        (("--variables", "tt"), "'tt'"),
    ],
)
def test_wrong_options_are_named(command, options, word):
    refused(command(*options), word)


def test_vectors_are_regridded_together(command):
    ds = fields()
    ds["u"], ds["v"] = ds.t * 1.0, ds.t * 0.0 + 1.0
    ds.to_netcdf("in.nc")
    assert command("--vectors", "u,v").exit_code == 0
    alone = command("--overwrite", out="alone.nc")
    assert alone.exit_code == 0
    # north turns with latitude: what is 1 on both sides of the equator points up by cos 5 degrees on it
    assert read("alone.nc").v.values[0] == pytest.approx(1.0)
    assert read().v.values[0] == pytest.approx(np.cos(np.deg2rad(5.0)), abs=1e-4)


@pytest.mark.parametrize("text", ["t", "t,q,p", "t,nothing"])
def test_vectors_are_two_variables(command, text):
    refused(command("--vectors", text), text.split(",")[-1])


# ---------------------------------------------------------------------- what cannot be
def test_without_a_target_there_is_a_hint(command):
    refused(command(into=()), "--to or --weights")


def test_a_missing_grid_is_named(command):
    refused(command(into=("--to", "nowhere.nc")), "nowhere.nc", "no such file")


def test_a_missing_input_is_named(command, folder):
    (folder / "in.nc").unlink()
    refused(command(), "in.nc", "no such file")


@pytest.mark.parametrize("content", [b"", b"not netCDF at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 500])
def test_a_damaged_input_is_named(command, folder, content):
    (folder / "in.nc").write_bytes(content)
    refused(command(), "in.nc", "cannot be read")


def test_a_cut_input_is_named(command, folder):
    whole = (folder / "in.nc").read_bytes()
    (folder / "in.nc").write_bytes(whole[: len(whole) // 2])
    refused(command(), "in.nc", "cannot be read")


def test_an_input_without_a_grid_is_refused(command):
    xr.Dataset({"t": ("n", [1.0])}).to_netcdf("in.nc")
    refused(command(), "no longitude")


def test_an_input_without_fields_is_refused(command):
    fine().to_dataset().to_netcdf("in.nc")
    refused(command(), "no variable lies on the")


def test_an_output_that_exists_is_kept(command, folder):
    (folder / "kept.nc").write_text("mine")
    result = command(out="kept.nc")
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert (folder / "kept.nc").read_text() == "mine"


def test_an_output_that_exists_is_replaced_when_asked(command, folder):
    (folder / "out.nc").write_text("mine")
    assert command("--overwrite").exit_code == 0
    assert read().t.shape == (2, 1, 2)


def test_the_input_is_never_the_output(command):
    result = command("--overwrite", out="in.nc")
    assert result.exit_code == 2
    assert "is read by this command" in result.output
    assert read("in.nc").t.shape == (2, 2, 2)


def test_a_missing_folder_is_named(command):
    refused(command(out="nowhere/out.nc"), "nowhere", "does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(command, folder):
    (folder / "locked").mkdir(mode=0o500)
    refused(command(out="locked/out.nc"), "cannot be written to")


def test_a_full_disk_leaves_nothing_behind(command, monkeypatch):
    def full(*arguments: object) -> None:
        raise RuntimeError("NetCDF: No space left on device")

    monkeypatch.setattr("tradewind.commands.regridding._put", full)
    refused(command(), "No space left", "is the disk full?")


def test_a_full_disk_at_the_start_leaves_nothing_behind(command, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tradewind.commands.regridding._define", full)
    refused(command(), "No space left")


# ---------------------------------------------------------------------- processes and ranks
def test_a_process_of_its_own(folder):
    program = [sys.executable, "-m", "tradewind", "regrid", "in.nc", "out.nc", "--to", "grid.nc"]
    done = subprocess.run([*program, "--backend", "native"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    again = subprocess.run(program, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert again.stderr.count("error:") == 1


@pytest.mark.mpi
def test_the_file_does_not_depend_on_the_ranks(mpiexec, command, folder):
    command(out="serial.nc")
    program = ("-m", "tradewind", "regrid", folder / "in.nc", folder / "out.nc", "--to", folder / "grid.nc")
    done = mpiexec(3, *program, "--backend", "native")
    assert done.stdout.count("regridded: t, q") == 1
    assert same_numbers(folder / "serial.nc", folder / "out.nc")


@pytest.mark.mpi
def test_ranks_refuse_together(mpiexec, folder):
    (folder / "out.nc").write_text("mine")
    program = ("-m", "tradewind", "regrid", folder / "in.nc", folder / "out.nc", "--to", folder / "grid.nc")
    done = mpiexec(2, *program, check=False)
    assert done.returncode != 0
    assert done.stderr.count("exists already") == 1
    assert (folder / "out.nc").read_text() == "mine"
