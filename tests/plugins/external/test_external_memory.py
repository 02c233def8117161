"""Restart files between steps: they stay while a state names them, and then they go."""

from __future__ import annotations

import gc
import shutil

import pytest

from tradewind.errors import DataError, ModelError
from tradewind.plugins.external.directory import mark
from tradewind.plugins.external.memory import Kept
from tradewind.plugins.external.options import RestartFile


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "restart").mkdir(parents=True)
    return folder


def test_files_are_taken_put_and_gone_with_the_last_reference(run, scratch):
    (run / "a.bin").write_bytes(b"\x00one")
    kept = Kept.of_run(run, [RestartFile(file="a.bin")], scratch)
    (run / "a.bin").write_bytes(b"two")
    assert kept.contents() == {"a.bin": b"\x00one"}
    kept.put(run)
    assert (run / "a.bin").read_bytes() == b"\x00one"
    again = kept
    del kept
    gc.collect()
    assert len(list(scratch.iterdir())) == 1
    assert again.names == ("a.bin",)
    del again
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_a_file_is_kept_under_the_name_that_the_model_reads(run, scratch):
    (run / "restart" / "new.bin").write_bytes(b"1")
    kept = Kept.of_run(run, [RestartFile(file="restart/old.bin", output="restart/new.bin")], scratch)
    assert kept.names == ("restart/old.bin",)


def test_a_model_that_changes_what_it_read_does_not_change_what_is_kept(run, scratch):
    kept = Kept.of_bytes({"a.bin": b"one"}, scratch)
    kept.put(run)
    (run / "a.bin").write_bytes(b"changed")
    assert kept.contents() == {"a.bin": b"one"}


def test_a_link_of_the_template_is_not_written_through(run, scratch, tmp_path):
    (tmp_path / "shared.bin").write_bytes(b"shared")
    (run / "a.bin").symlink_to(tmp_path / "shared.bin")
    Kept.of_bytes({"a.bin": b"one"}, scratch).put(run)
    assert (run / "a.bin").read_bytes() == b"one"
    assert (tmp_path / "shared.bin").read_bytes() == b"shared"


@pytest.mark.parametrize("there", [False, True])
def test_a_restart_file_that_was_not_written_is_refused(run, scratch, there):
    if there:
        (run / "a.bin").write_bytes(b"of the step before")
    mark(run, ["a.bin"])
    with pytest.raises(ModelError, match=r"a\.bin: ended without writing its restart file \(name what"):
        Kept.of_run(run, [RestartFile(file="a.bin")], scratch)


def test_a_run_begins_with_what_the_template_has(run, scratch):
    (run / "a.bin").write_bytes(b"start")
    files = [RestartFile(file="a.bin"), RestartFile(file="cold.bin", at_start="absent")]
    assert Kept.of_template(run, files, scratch).contents() == {"a.bin": b"start"}


def test_bytes_come_back_as_they_were(scratch):
    contents = {"a.bin": bytes(range(256)), "deep/b": b""}
    assert Kept.of_bytes(contents, scratch).contents() == contents


def test_files_that_somebody_has_removed_are_missed(run, scratch):
    kept = Kept.of_bytes({"a.bin": b"one"}, scratch)
    shutil.rmtree(kept.folder)
    for use in (lambda: kept.put(run), kept.contents):
        with pytest.raises(DataError, match=r"a\.bin: a restart file of an earlier step is gone .*`scratch`"):
            use()


def test_nothing_stays_of_files_that_cannot_be_taken(run, scratch):
    with pytest.raises(DataError, match="cannot be written"):
        Kept.of_bytes({"a": b"", "a/b": b""}, scratch)
    assert list(scratch.iterdir()) == []
