"""What hosts are built with: flags, a CMake package, pkg-config, an fpm package; and how builds fail."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tradewind.errors import DataError
from tradewind.fortran import building, checking
from tradewind.fortran.command import main, parser
from tradewind.fortran.installation import Installation, default_prefix

ROOT = Path(__file__).parents[2]
HOST = """\
program host
  use tradewind, only: tradewind_version
  implicit none

  print '(a)', tradewind_version()
end program host
"""
PROJECT = """\
cmake_minimum_required(VERSION 3.18)
project(host Fortran)
find_package(tradewind 0.1 REQUIRED)
add_executable(host host.f90)
target_link_libraries(host PRIVATE tradewind::tradewind)
add_executable(host_without_python host.f90)
target_link_libraries(host_without_python PRIVATE tradewind::stub)
"""


@pytest.fixture
def host(tmp_path) -> Path:
    (tmp_path / "host.f90").write_text(HOST)
    return tmp_path / "host.f90"


def printed(capsys, *arguments: object) -> str:
    assert main(list(map(str, arguments))) == 0
    return capsys.readouterr().out.strip()


def ran(program: Path) -> str:
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


# ---------------------------------------------------------------------------------------------- flags
def test_printed_flags_build_a_host(hosting, host, capsys):
    flags = printed(capsys, "--prefix", hosting.prefix, "--cflags", "--libs").split()
    program = host.with_suffix("")
    subprocess.run([hosting.fortran, host, *flags, "-o", program], check=True)
    assert ran(program) == "0.1.0\n"


def test_the_stub_has_flags_of_its_own(hosting, capsys):
    assert printed(capsys, "--prefix", hosting.prefix, "--stub", "--libs").endswith(" -ltradewind_stub")


def test_folders_that_are_printed_hold_what_they_should(hosting, capsys):
    cmake, pkgconfig, sources = (
        Path(printed(capsys, "--prefix", hosting.prefix, what))
        for what in ("--cmake-dir", "--pkg-config-dir", "--sources")
    )
    assert (cmake / "tradewindConfig.cmake").is_file()
    assert (pkgconfig / "tradewind.pc").is_file()
    assert (sources / "tradewind.h").is_file()


def test_a_prefix_without_the_library_is_told_with_what_to_do(tmp_path, capsys):
    assert main(["--prefix", str(tmp_path), "--libs"]) == 2
    assert re.search(r"libtradewind is not installed there \(.*--build PREFIX", capsys.readouterr().err)


def test_the_prefix_is_that_of_the_environment_unless_named(monkeypatch):
    monkeypatch.delenv("TRADEWIND_PREFIX", raising=False)
    assert default_prefix() == Path(sys.prefix)
    monkeypatch.setenv("TRADEWIND_PREFIX", "/opt/models")
    assert default_prefix() == Path("/opt/models")


def test_libraries_of_a_multiarch_system_are_found(tmp_path):
    folder = tmp_path / "lib" / "x86_64-linux-gnu"
    folder.mkdir(parents=True)
    (folder / "libtradewind.so").touch()
    assert Installation(tmp_path).lib.resolve() == folder


def test_something_must_be_asked_for(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "nothing is asked for" in capsys.readouterr().err


def test_unknown_options_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--cflags", "-DTRADEWIND_MPI=OFF"])
    assert "unknown: -DTRADEWIND_MPI=OFF" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------------- packages
def test_a_cmake_project_finds_both_libraries(hosting, host):
    (host.parent / "CMakeLists.txt").write_text(PROJECT)
    folder = host.parent / "build"
    where = f"-Dtradewind_DIR={Installation(hosting.prefix).cmake}"
    for command in (["-S", host.parent, "-B", folder, where], ["--build", folder]):
        done = subprocess.run(["cmake", *command], capture_output=True, text=True, check=False)
        assert not done.returncode, done.stdout + done.stderr
    assert [ran(folder / name) for name in ("host", "host_without_python")] == ["0.1.0\n"] * 2


@pytest.mark.parametrize("library", ["tradewind", "tradewind_stub"])
def test_pkg_config_finds_it_where_it_was_put(hosting, library):
    command = ["pkg-config", "--cflags", "--libs", str(hosting.lib / "pkgconfig" / f"{library}.pc")]
    flags = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert Path(flags[0].removeprefix("-I")).resolve() == hosting.include
    assert Path(flags[1].removeprefix("-L")).resolve() == hosting.lib
    assert flags[2] == f"-l{library}"


def test_an_fpm_package_holds_all_that_its_sources_include(tmp_path, capsys):
    folder = tmp_path / "package"
    printed(capsys, "--fpm", folder)
    printed(capsys, "--fpm", folder)  # again, over what was there
    source = folder / tomllib.loads((folder / "fpm.toml").read_text())["library"]["source-dir"]
    included = [
        (file.parent / name) for file in source.rglob("*.[ch]")
        for name in re.findall(r'^#include "(.*)"', file.read_text(), flags=re.M)
    ]  # fmt: skip
    assert included
    assert not [path for path in included if not path.exists()]
    assert (source / "tradewind.f90").is_file()


def test_an_fpm_package_is_not_written_over_something_else(tmp_path):
    (tmp_path / "model.f90").touch()
    with pytest.raises(DataError, match="no fpm package, and not empty"):
        building.write_fpm(tmp_path)


# ---------------------------------------------------------------------------------------------- failures
def test_a_build_says_which_program_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        DataError, match=r"cmake, gfortran, cc not found \(.*apt-get install cmake gfortran gcc"
    ):
        building.build(tmp_path / "prefix")


def test_a_build_that_fails_says_how(tmp_path):
    with pytest.raises(DataError, match=r"`cmake -S` ended with 1\n(.*\n)*.*no-generator"):
        building.build(tmp_path / "prefix", ["-Gno-generator"])


# ---------------------------------------------------------------------------------------------- the page
def test_every_option_is_on_the_page():
    page = (ROOT / "docs" / "fortran-building.md").read_text()
    ours = {
        option for action in parser()._actions for option in action.option_strings if option.startswith("--")
    }
    files = [building.sources() / "CMakeLists.txt", building.sources() / "frozen" / "CMakeLists.txt"]
    texts = "".join(file.read_text() for file in files)
    theirs = set(re.findall(r"^(?:set|option)\((TRADEWIND_[A-Z_]+) .*(?:CACHE|OFF)", texts, flags=re.M))
    assert len(theirs) >= 8
    assert not [option for option in (ours | theirs) - {"--help"} if f"`{option}" not in page]


# ---------------------------------------------------------------------------------------------- check
def test_a_check_compiles_a_host_and_tells_what_that_host_misses(hosting, monkeypatch):
    # a Python that works takes seconds to start: every other test of hosts sees that it does
    monkeypatch.setenv("TRADEWIND_PYTHON", "/nowhere/python")
    found = {finding.about: finding for finding in checking.check(Installation(hosting.prefix))}
    wanted = [about for about, finding in found.items() if finding.required and not finding.found]
    assert found["versions agree"].told == "library 0.1.0, package 0.1.0"
    assert wanted == ["Python is found"]
    assert found["Python is found"].told.startswith("python TRADEWIND_PYTHON is /nowhere/python, ")


def test_a_check_without_the_library_says_so_and_tries_no_host(tmp_path, capsys):
    assert main(["--prefix", str(tmp_path), "--check"]) == 2
    told = capsys.readouterr().out
    assert re.search(r"^libtradewind +MISSING .*--build PREFIX", told, flags=re.M)
    assert "host" not in told
