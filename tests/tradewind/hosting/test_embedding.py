"""What the C library asks of the interpreter: lines that are written at once, and one MPI in a process."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tradewind.hosting import embedding
from tradewind.hosting.embedding import company, keep_apart, local_rank, settle
from tradewind.hosting.failing import CallError, Code

MPICH = "MPICH Version:      4.0.2\nMPICH Release date: today\n\0"
OTHER = "Open MPI v4.1.4, package: Debian OpenMPI\n"


class World:
    """An MPI that has been initialised by the host, with two ranks behind handle 7."""

    def __init__(self, version: str = MPICH, begun: bool = True, size: int = 2) -> None:
        self.version, self.begun = version, begun
        self.Comm = SimpleNamespace(f2py=lambda handle: SimpleNamespace(Get_size=lambda: size))

    def Is_initialized(self) -> bool:
        return self.begun

    def Get_library_version(self) -> str:
        return self.version


@pytest.fixture
def sees(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that says which MPI mpi4py has."""
    return lambda mpi: monkeypatch.setattr(embedding, "_mpi", lambda: mpi)


def test_the_hosts_own_mpi_is_taken(sees: Any) -> None:
    sees(World())
    company(7, 2, MPICH)


@pytest.mark.parametrize(
    ("mpi", "says"),
    [
        (World(begun=False), "has not been initialised"),
        (World(version=OTHER), "two MPI libraries"),
        (World(size=1), "has 2 ranks, mpi4py sees 1"),
    ],
)
def test_another_mpi_is_refused(sees: Any, mpi: World, says: str) -> None:
    sees(mpi)
    with pytest.raises(CallError, match=says) as caught:
        company(7, 2, MPICH)
    assert caught.value.code is Code.MPI
    assert "MPICH Version:      4.0.2" in caught.value.hint
    assert "\0" not in caught.value.hint


def test_a_missing_mpi4py_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(CallError, match="mpi4py cannot be used") as caught:
        company(7, 2, MPICH)
    assert caught.value.code is Code.MPI


def test_what_is_printed_is_written_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    settle()
    sys.stdout.write("a line\n")
    assert raw.getvalue() == b"a line\n"


def test_a_host_without_streams_is_none_the_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    settle()


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"MPI_LOCALRANKID": "3"}, 3),
        ({"SLURM_LOCALID": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "2"}, 2),
        ({"SLURM_LOCALID": ""}, 0),
    ],
)
def test_the_launcher_tells_the_rank_on_a_node(environment: dict[str, str], rank: int) -> None:
    assert local_rank(environment) == rank


def test_ranks_of_a_node_take_devices_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken: list[int] = []
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2, set_device=taken.append)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_RANK", "3")
    settle(drivers=(tmp_path,))
    assert taken == [1]


def test_without_devices_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    settle(drivers=(tmp_path / "none",))


@pytest.mark.parametrize(("host_has_files", "deep"), [(True, True), (False, None)])
def test_netcdf4_calls_the_libraries_that_it_brings(
    monkeypatch: pytest.MonkeyPatch, host_has_files: bool, deep: bool | None
) -> None:
    seen: list[bool] = []
    flags = sys.getdlopenflags()
    monkeypatch.setattr(
        embedding.importlib,
        "import_module",
        lambda name: seen.append(bool(sys.getdlopenflags() & os.RTLD_DEEPBIND)),
    )
    keep_apart(host_has_files)
    assert seen == ([] if deep is None else [deep])
    assert sys.getdlopenflags() == flags
