"""What is built and what is declared: every package, the files beside the code, pins, entry points."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("couplers", "surrogates", "plugins", "fortran_stubs")


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages() -> dict[str, Path]:
    """Return every package of the tree by its import name."""
    doors = [
        *(ROOT / "tradewind").rglob("__init__.py"),
        *(f for d in FOLDERS for f in (ROOT / d).rglob("__init__.py")),
    ]
    found = {}
    for door in doors:
        parts = door.parent.relative_to(ROOT).parts
        if parts[0] == "tradewind" and len(parts) > 1 and parts[1] in FOLDERS:
            continue  # seen through a link
        found[".".join(parts if parts[0] == "tradewind" else ("tradewind", *parts))] = door.parent
    return found


def test_every_package_is_installed(project):
    assert sorted(project["tool"]["setuptools"]["packages"]) == sorted(packages())


def test_folders_at_the_root_are_mapped_into_the_package(project):
    mapped = project["tool"]["setuptools"]["package-dir"]
    expected = {
        n: str(p.relative_to(ROOT)) for n, p in packages().items() if p.relative_to(ROOT).parts[0] in FOLDERS
    }
    assert mapped == expected


def test_links_inside_the_package_lead_to_the_folders():
    for folder in FOLDERS:
        link = ROOT / "tradewind" / folder
        assert link.is_symlink()
        assert link.resolve() == ROOT / folder


def test_files_beside_the_code_are_installed(project):
    given = project["tool"]["setuptools"]["package-data"]
    beside = {
        f: [*given["*"], *given.get(name, ())]
        for name, p in packages().items()
        for f in p.iterdir()
        if f.is_file() and f.suffix != ".py"
    }
    assert {ROOT / "tradewind" / "py.typed", ROOT / "fortran_stubs" / "tradewind.h"} <= beside.keys()
    assert not [f for f, patterns in beside.items() if not any(f.match(pattern) for pattern in patterns)]


def test_sources_of_the_library_of_hosts_are_installed(project):
    # its folders are no packages: what a build needs is named by patterns
    patterns = project["tool"]["setuptools"]["package-data"]["tradewind.fortran_stubs"]
    folder = ROOT / "fortran_stubs"
    found = {file for pattern in patterns for file in folder.glob(pattern)}
    needed = {f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts}
    assert folder / "engine" / "descriptors.c" in found
    assert not needed - found - {folder / "__init__.py"}


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonical(name): pin for name, _, pin in (line.partition("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(project: dict) -> set[str]:
    extras = project["project"]["optional-dependencies"].values()
    every = [*project["project"]["dependencies"], *(r for extra in extras for r in extra)]
    return {canonical(re.match(r"[\w.-]+", r)[0]) for r in every} - {"tradewind"}


def test_everything_that_is_required_is_pinned(project):
    assert not requirements(project) - pins().keys()


def test_pins_are_exact_and_fit_every_build():
    assert all(re.fullmatch(r"[\w.]+", pin) for pin in pins().values())
    assert pins()["torch"] == "2.13.0"


def test_the_version_is_declared_once(project):
    assert version("tradewind") == project["project"]["version"]
    assert f"version: {project['project']['version']}" in (ROOT / "CITATION.cff").read_text()


def test_the_package_runs_as_a_module():
    program = [sys.executable, "-m", "tradewind", "--version"]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == f"tradewind {version('tradewind')}\n"
