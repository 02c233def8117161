"""Run directories: what they begin with, what of them stays, what their links lead to."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import datetime

import pytest

from tradewind.errors import ConfigError, DataError, ModelError
from tradewind.plugins.external.directory import (
    copy_template,
    filling,
    make_own,
    mark,
    render_files,
    rendered_files,
    run_directory,
    written,
)
from tradewind.plugins.external.options import Keep


@pytest.fixture
def template(tmp_path):
    folder = tmp_path / "template"
    (folder / "input").mkdir(parents=True)
    (folder / "run.nml").write_text("start = {start:%Y}")
    (folder / "input" / "table.txt").write_text("{not a placeholder of ours}")
    (folder / "model").write_text("#!/bin/sh\n")
    (folder / "model").chmod(0o755)
    return folder


# ---------------------------------------------------------------------- made and removed
def test_every_attempt_has_a_directory_of_its_own(scratch):
    with run_directory(scratch, "box", Keep.FAILED) as one, run_directory(scratch, "box", Keep.FAILED) as two:
        assert one != two
        assert one.parent == two.parent == scratch
        assert one.name.startswith("box-")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(("keep", "left"), [(Keep.NEVER, 0), (Keep.FAILED, 0), (Keep.ALWAYS, 1)])
def test_what_stays_after_a_success(scratch, keep, left):
    with run_directory(scratch, "box", keep) as run:
        (run / "file").write_text("")
    assert len(list(scratch.iterdir())) == left


@pytest.mark.parametrize(("keep", "left"), [(Keep.NEVER, 0), (Keep.FAILED, 1), (Keep.ALWAYS, 1)])
def test_what_stays_after_a_failure_is_named(scratch, keep, left):
    with pytest.raises(ModelError, match="failed") as caught, run_directory(scratch, "box", keep):
        raise ModelError("failed", where="box", hint="look")
    stays = list(scratch.iterdir())
    assert len(stays) == left
    kept = f"; its run directory is kept: {stays[0]}" if stays else ""
    assert str(caught.value) == f"box: failed (look{kept})"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
def test_an_interrupt_leaves_no_directory(scratch, kind):
    with pytest.raises(kind), run_directory(scratch, "box", Keep.FAILED):
        raise kind
    assert list(scratch.iterdir()) == []


def test_a_scratch_folder_that_is_not_there_is_named(tmp_path):
    with (
        pytest.raises(DataError, match=r"nowhere: cannot be written: No such file.*`scratch`"),
        run_directory(tmp_path / "nowhere", "box", Keep.NEVER),
    ):
        pass


# ---------------------------------------------------------------------- template
def test_a_template_is_copied_with_its_folders_and_modes(template, scratch):
    copy_template(template, scratch)
    assert (scratch / "input" / "table.txt").read_text() == "{not a placeholder of ours}"
    assert os.access(scratch / "model", os.X_OK)


def test_what_a_template_protects_can_be_written_to_in_a_run_directory(template, scratch):
    for path in (template / "run.nml", template / "input" / "table.txt", template / "input"):
        path.chmod(path.stat().st_mode & ~0o222)
    copy_template(template, scratch)
    assert all(path.stat().st_mode & 0o200 for path in [scratch, *scratch.rglob("*")])
    (template / "input").chmod(0o755)


def test_links_lead_to_the_same_file(template, scratch, tmp_path):
    (tmp_path / "large.nc").write_text("forcing")
    (template / "input" / "large.nc").symlink_to("../../large.nc")
    copy_template(template, scratch)
    assert (scratch / "input" / "large.nc").is_symlink()
    assert (scratch / "input" / "large.nc").read_text() == "forcing"


def test_a_link_to_nothing_is_refused(template, scratch):
    (template / "large.nc").symlink_to("absent.nc")
    with pytest.raises(DataError, match=r"large\.nc: the template holds a link to nothing"):
        copy_template(template, scratch)


def test_a_missing_template_is_refused(tmp_path, scratch):
    with pytest.raises(DataError, match=r"absent: there is no such template \(make the folder"):
        copy_template(tmp_path / "absent", scratch)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_an_error_of_ours(template, scratch, monkeypatch, wrapped):
    def full(source, target, **keywords):
        reason = os.strerror(errno.ENOSPC)
        if wrapped:  # as shutil reports what happens to a single file
            raise shutil.Error([(source, target, f"[Errno 28] {reason}")])
        raise OSError(errno.ENOSPC, reason)

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(DataError, match=r"No space left on device.*free space, or name another folder"):
        copy_template(template, scratch)


def test_what_the_netcdf_library_says_of_a_full_disk_is_an_error_of_ours(scratch):
    with pytest.raises(DataError, match="cannot be written: NetCDF: HDF error"), filling(scratch):
        raise RuntimeError("NetCDF: HDF error")


# ---------------------------------------------------------------------- rendering
def test_only_named_files_are_rendered(template, scratch):
    copy_template(template, scratch)
    files = rendered_files(template, ["*.nml"])
    assert files == ("run.nml",)
    render_files(scratch, files, {"start": datetime(1999, 1, 1)})
    assert (scratch / "run.nml").read_text() == "start = 1999"
    assert (template / "run.nml").read_text() == "start = {start:%Y}"


def test_files_are_found_by_pattern_and_each_once(template):
    assert rendered_files(template, ["run.nml", "input/*.txt", "*.nml"]) == ("run.nml", "input/table.txt")


def test_a_pattern_that_names_nothing_is_refused(template):
    with pytest.raises(DataError, match=r"template: no file is called '\*\.cfg' \(mend `rendered`\)"):
        rendered_files(template, ["*.cfg"])


def test_a_link_is_rendered_in_a_copy(template, scratch, tmp_path):
    (tmp_path / "shared.nml").write_text("{member}")
    (template / "shared.nml").symlink_to(tmp_path / "shared.nml")
    copy_template(template, scratch)
    render_files(scratch, ["shared.nml"], {"member": 3})
    assert (scratch / "shared.nml").read_text() == "3"
    assert (tmp_path / "shared.nml").read_text() == "{member}"


def test_an_unknown_placeholder_names_its_file(template, scratch):
    copy_template(template, scratch)
    with pytest.raises(ConfigError, match=r"run\.nml: unknown placeholder \{start:%Y\}"):
        render_files(scratch, ["run.nml"], {"member": 3})


# ---------------------------------------------------------------------- outputs
def test_an_output_counts_only_when_it_was_written_anew(scratch):
    (scratch / "old.nc").write_text("of the template")
    mark(scratch, ["old.nc", "new.nc", "deep/new.nc"])
    assert not written(scratch / "old.nc")
    assert not written(scratch / "new.nc")
    (scratch / "old.nc").write_text("of the template")
    (scratch / "deep" / "new.nc").write_text("")
    assert written(scratch / "old.nc")
    assert written(scratch / "deep" / "new.nc")


def test_an_output_that_is_a_link_does_not_reach_what_it_led_to(scratch, tmp_path):
    (tmp_path / "shared.nc").write_text("shared")
    (scratch / "out.nc").symlink_to(tmp_path / "shared.nc")
    mark(scratch, ["out.nc"])
    (scratch / "out.nc").write_text("changed")
    assert (tmp_path / "shared.nc").read_text() == "shared"
    make_own(scratch / "out.nc")  # no link any more: nothing to do
    assert (scratch / "out.nc").read_text() == "changed"
