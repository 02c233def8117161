"""Where a result comes from."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import datetime
from importlib import metadata
from pathlib import Path

import pytest

from tradewind import provenance
from tradewind.errors import DataError


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("one")
    git(tmp_path, "add", "a.txt")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_versions_are_those_installed():
    assert provenance.versions(["numpy", "no-such-library"]) == {"numpy": metadata.version("numpy")}


def test_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"wind" * 100_000)
    assert provenance.sha256(tmp_path / "a.bin") == hashlib.sha256(b"wind" * 100_000).hexdigest()


def test_a_missing_input_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.nc: cannot be read: No such file"):
        provenance.gather(inputs=[tmp_path / "absent.nc"])


def test_the_commit_is_the_head(checkout):
    assert provenance.commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_changed_files_are_not_that_commit(checkout):
    (checkout / "a.txt").write_text("two")
    assert provenance.commit(checkout) == git(checkout, "rev-parse", "HEAD") + "+"


def test_no_commit_outside_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit(tmp_path) is None


def test_somebody_elses_checkout_is_not_ours(checkout):
    environment = checkout / "venv" / "site-packages"
    environment.mkdir(parents=True)
    (environment / "b.py").write_text("")
    assert provenance.commit(environment) is None


def test_no_git_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() is None


def test_all_that_is_gathered_can_be_stored(tmp_path):
    (tmp_path / "winds.nc").write_bytes(b"x")
    told = provenance.gather("run: {}", [tmp_path / "winds.nc"])
    assert json.loads(json.dumps(told)) == told
    assert told["inputs"] == {"winds.nc": hashlib.sha256(b"x").hexdigest()}
    assert told["config"] == "run: {}"
    assert told["torch_threads"] == 1
    assert told["cores"] >= 1
    assert datetime.fromisoformat(told["created"]).utcoffset().total_seconds() == 0


def test_gathering_imports_no_library():
    program = (
        "from tradewind import provenance; import sys; told = provenance.gather(); "
        "print(told['torch_threads'], {'torch', 'numpy', 'xarray', 'mpi4py'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None set()"
