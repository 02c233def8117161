"""Alone or one of many: what launchers say, and what is refused."""

from __future__ import annotations

import sys
import types

import pytest

from tradewind.commands.launch import Launch, Mpi, refuse_two_libraries, world
from tradewind.errors import TradewindError


@pytest.mark.parametrize(
    ("environment", "launch"),
    [
        ({}, Launch(0, 1)),
        ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "4"}, Launch(2, 4)),
        ({"PMI_RANK": "1", "PMI_SIZE": "3"}, Launch(1, 3)),
        ({"SLURM_PROCID": "5", "SLURM_STEP_NUM_TASKS": "8"}, Launch(5, 8)),
        ({"PMIX_RANK": "1"}, Launch(1, None)),
        # an allocation without a launcher: the script of a batch job runs alone
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, Launch(0, 1)),
        ({"PMI_RANK": "", "PMI_SIZE": "3"}, Launch(0, 1)),
        ({"PMI_RANK": "none", "PMI_SIZE": "3"}, Launch(0, 1)),
    ],
)
def test_launchers_are_told_apart(environment, launch):
    assert Launch.of(environment) == launch


class Comm:
    def __init__(self, size):
        self.size = size

    def Get_size(self):
        return self.size


@pytest.fixture
def mpi4py(monkeypatch):
    """A stand-in for mpi4py that sees as many ranks as it is told."""

    def install(size):
        module = types.ModuleType("mpi4py")
        module.MPI = types.SimpleNamespace(COMM_WORLD=Comm(size))
        monkeypatch.setitem(sys.modules, "mpi4py", module)
        return module.MPI.COMM_WORLD

    return install


@pytest.mark.parametrize(("launch", "mpi"), [(Launch(0, 1), Mpi.AUTO), (Launch(0, 4), Mpi.OFF)])
def test_a_serial_run_does_not_even_look_for_mpi4py(monkeypatch, launch, mpi):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    assert world(launch, mpi) is None


def test_several_ranks_get_their_communicator(mpi4py):
    comm = mpi4py(4)
    assert world(Launch(1, 4), Mpi.AUTO) is comm


def test_one_rank_that_insists_gets_one_too(mpi4py):
    comm = mpi4py(1)
    assert world(Launch(0, 1), Mpi.ON) is comm


def test_a_launcher_that_does_not_say_how_many(mpi4py):
    mpi4py(1)
    assert world(Launch(0, None), Mpi.AUTO) is None
    comm = mpi4py(2)
    assert world(Launch(0, None), Mpi.AUTO) is comm


def test_a_launcher_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(TradewindError, match=r"mpi4py cannot be used.*tradewind\[mpi\].*--mpi off"):
        world(Launch(0, 2), Mpi.AUTO)


def test_the_launcher_of_another_mpi(mpi4py):
    mpi4py(1)
    with pytest.raises(TradewindError, match="launcher started 4 ranks, but mpi4py sees 1"):
        world(Launch(0, 4), Mpi.AUTO)


def test_two_libraries_in_one_process():
    maps = """
7f0-7f1 r-xp 0 08:01 11 /opt/mpich/lib/libmpi.so.12.5.0
7f1-7f2 r--p 0 08:01 11 /opt/mpich/lib/libmpi.so.12.5.0
7f2-7f3 r-xp 0 08:01 12 /usr/lib/libmpifort.so.12
"""
    refuse_two_libraries(maps)
    with pytest.raises(TradewindError, match=r"/opt/mpich/lib/libmpi\.so\.12\.5\.0, /usr/lib/libmpi\.so\.40"):
        refuse_two_libraries(maps + "7f4-7f5 r-xp 0 08:01 13 /usr/lib/libmpi.so.40\n")
