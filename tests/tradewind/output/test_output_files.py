"""Files are whole or not there: what a failure leaves behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tradewind.errors import DataError
from tradewind.output.files import check_writable, replacing, write_netcdf, write_text

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np, xarray as xr
from tradewind.errors import DataError
from tradewind.output.files import write_netcdf
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
random = np.random.default_rng(0).random((400, 400))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    write_netcdf(xr.Dataset({"a": (("y", "x"), random)}), Path(sys.argv[1]))
except DataError as error:
    sys.exit(f"DataError: {error}")
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from tradewind.output.files import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_text("half a li")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_text_is_written_and_nothing_else(tmp_path):
    write_text("süß", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text("utf-8") == "süß"
    assert names(tmp_path) == ["a.html"]


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        part.write_text("new, but") / 0
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_the_system_names_the_file(tmp_path):
    with (
        pytest.raises(DataError, match=r"a\.txt: cannot be written: No space left"),
        replacing(tmp_path / "a.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_readers_never_see_half_a_file(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as part:
        part.write_text("half")
        assert not path.exists()
        assert part.parent == path.parent
    assert path.exists()


def test_a_full_disk_leaves_nothing(tmp_path):
    target = tmp_path / "a.nc"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, target], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DataError" in done.stderr
    assert "a.nc: cannot be written" in done.stderr
    assert names(tmp_path) == []


def test_a_killed_run_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.nc"
    target.write_text("old")
    subprocess.run([sys.executable, "-c", KILLED, target], check=False)
    assert target.read_text() == "old"
    # what was half-written can be told from a result by its name
    assert [n for n in names(tmp_path) if not (n.startswith(".") and n.endswith(".part"))] == ["a.nc"]


@pytest.mark.parametrize(
    ("path", "fault"),
    [("absent/a.nc", "the folder .*absent does not exist"), (".", "this is a folder")],
)
def test_hopeless_paths_are_refused_early(tmp_path, path, fault):
    with pytest.raises(DataError, match=fault):
        check_writable(tmp_path / path)


def test_groups_follow_the_root(tmp_path):
    root, group = xr.Dataset({"a": ("x", np.arange(3.0))}), xr.Dataset({"b": ("x", np.arange(2.0))})
    write_netcdf(root, tmp_path / "a.nc", {"extra": group})
    with xr.open_dataset(tmp_path / "a.nc", group="extra") as read:
        assert read.sizes["x"] == 2
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert read.sizes["x"] == 3


def test_large_fields_are_compressed_without_loss(tmp_path):
    values = np.random.default_rng(1).integers(0, 3, (60, 60)) / 7.0
    write_netcdf(xr.Dataset({"a": (("y", "x"), values)}), tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert read["a"].encoding["zlib"]
        np.testing.assert_array_equal(read["a"], values)
