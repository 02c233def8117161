"""An external model under `tradewind run`: it fails half-way, and the run goes on from its restart files."""

from __future__ import annotations

import subprocess
import sys

CONFIG = """\
run: {start: 2000-01-01, stop: 2000-01-01T04:00, step: 1h, restart: {folder: restart, every: 1h}}
components:
  pond:
    plugin: external
    options:
      command: [model, "{start:%H}"]
      template: template
      grid: {file: grid.nc}
      scratch: scratch
      exports:
        level: {file: output.nc, variable: LEVEL, units: m}
      restart:
        - {file: memory.txt, at_start: absent}
output: {file: out.nc, fields: [pond.level]}
"""
FAILS_ONCE = """
if test $1 = 02 && ! test -e {folder}/mended; then echo the pump is broken; exit 5; fi
echo hour $1 >> memory.txt
cp memory.txt {folder}/seen
cp answer.nc output.nc
"""


def tradewind(folder, *words):
    command = [sys.executable, "-m", "tradewind", "run", "run.yaml", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_run_goes_on_after_its_model_was_mended(script, tmp_path):
    script(FAILS_ONCE.format(folder=tmp_path))
    (tmp_path / "run.yaml").write_text(CONFIG)
    failed = tradewind(tmp_path)
    assert failed.returncode == 2
    said = " ".join(failed.stderr.split())
    assert "forward run of member 0, 2000-01-01 02:00/2000-01-01 03:00" in said
    assert "ended with exit code 5; it said last: the pump is broken" in said
    (kept,) = (tmp_path / "scratch").iterdir()  # restart files are gone with the process
    assert (kept / "memory.txt").read_text() == "hour 00\nhour 01\n"
    (tmp_path / "mended").touch()
    resumed = tradewind(tmp_path, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    # the first two hours were not run again: they came with the restart file of the run
    assert (tmp_path / "seen").read_text() == "hour 00\nhour 01\nhour 02\nhour 03\n"
    assert (tmp_path / "out.nc").is_file()
