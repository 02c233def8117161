"""Where ESMPy runs: here, together on all ranks, or in a child that knows no MPI; and what travels there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tradewind.couplers import esmf, esmf_child, esmf_runs
from tradewind.couplers.esmf_runs import Build, Where
from tradewind.couplers.esmf_shapes import Share
from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.ranks.parallel import MpiCommunicator, Serial
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate
from tradewind.errors import GridError, SpecError

needs_esmpy = pytest.mark.skipif(importlib.util.find_spec("esmpy") is None, reason="ESMPy is not installed")
BILINEAR, CONSERVATIVE = Scheme(Method.BILINEAR), Scheme(Method.CONSERVATIVE)
MK = """# ESMF_COMM: mpich
ESMF_VERSION_STRING=8.9.0
ESMF_LIBSDIR=/opt/esmf/lib
#  ESMF_OS: Linux
"""


def same(a: Triplets, b: Triplets) -> bool:
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in ("row", "col", "value", "frac_target"))


@pytest.fixture
def alone(monkeypatch) -> None:
    """No launcher, no mpi4py, no ESMF in this process."""
    for name in list(os.environ):
        if name.startswith(esmf_runs.LAUNCHERS):
            monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    monkeypatch.setattr(esmf_runs, "_maps", lambda: "")


class World:
    """An mpi4py communicator of three ranks, in name only."""

    def Get_rank(self) -> int:
        return 1

    def Get_size(self) -> int:
        return 3


@pytest.fixture
def ranks(alone, monkeypatch) -> MpiCommunicator:
    """The world of three ranks, with an ESMF that uses the same MPI."""
    world = World()
    module = ModuleType("mpi4py.MPI")
    module.IDENT, module.CONGRUENT, module.COMM_WORLD = 0, 1, world
    module.Comm = SimpleNamespace(Compare=lambda a, b: 1 if a is b else 2)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", module)
    monkeypatch.setattr(esmf_runs, "_maps", lambda: "7f r-xp /usr/lib/libmpich.so.12.2.2\n")
    monkeypatch.setattr(Build, "found", lambda: Build("8.9.0", "mpich", "/opt/esmf/lib"))
    monkeypatch.setattr(Build, "mpi", {"libmpich.so.12"})
    return MpiCommunicator(world)


def test_without_mpi_it_runs_here(alone):
    assert esmf_runs.where(Serial()) is Where.HERE


@pytest.mark.parametrize(
    "name", ["PMI_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID", "PMIX_RANK", "PALS_RANKID"]
)
def test_a_serial_run_under_a_launcher_asks_a_child(alone, monkeypatch, name):
    monkeypatch.setenv(name, "0")
    assert esmf_runs.where(Serial()) is Where.CHILD


def test_a_serial_run_beside_mpi4py_asks_a_child(alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", ModuleType("mpi4py.MPI"))
    assert esmf_runs.where(Serial()) is Where.CHILD


def test_a_thread_asks_a_child(alone):
    found = []
    thread = threading.Thread(target=lambda: found.append(esmf_runs.where(Serial())))
    thread.start()
    thread.join()
    assert found == [Where.CHILD]


def test_where_a_host_runs_esmf_a_child_is_asked(alone, monkeypatch):
    monkeypatch.setattr(esmf_runs, "_maps", lambda: "7f r-xp /model/lib/libesmf.so\n")
    monkeypatch.delitem(sys.modules, "esmpy", raising=False)
    assert esmf_runs.where(Serial()) is Where.CHILD


def test_an_esmf_that_esmpy_brought_is_no_host(alone, monkeypatch):
    monkeypatch.setattr(esmf_runs, "_maps", lambda: "7f r-xp /esmf/lib/libesmf_fullylinked.so\n")
    monkeypatch.setitem(sys.modules, "esmpy", ModuleType("esmpy"))
    assert esmf_runs.where(Serial()) is Where.HERE


def test_the_world_runs_together(ranks, coarse, finer):
    assert esmf_runs.where(ranks, (coarse, finer)) is Where.TOGETHER


def test_a_part_of_the_world_asks_a_child(ranks, coarse):
    assert esmf_runs.where(MpiCommunicator(World()), (coarse,)) is Where.CHILD


@pytest.mark.parametrize(("columns", "way"), [(2, Where.CHILD), (5, Where.CHILD), (6, Where.TOGETHER)])
def test_blocks_of_one_column_ask_a_child(ranks, columns, way):
    narrow = Grid.latlon(np.arange(10.0), np.arange(columns))
    assert esmf_runs.where(ranks, (narrow,)) is way


@pytest.mark.parametrize(("n", "way"), [(2, Where.CHILD), (3, Where.TOGETHER)])
def test_fewer_points_than_ranks_ask_a_child(ranks, n, way):
    assert esmf_runs.where(ranks, (Grid.points(np.arange(n), np.arange(n)),)) is way


@pytest.mark.parametrize("how", [Creep(2), InverseDistance()])
def test_extrapolation_that_depends_on_the_ranks_asks_a_child(ranks, coarse, how):
    scheme = Scheme(Method.BILINEAR, extrapolation=how)
    assert esmf_runs.where(ranks, (coarse,), scheme) is Where.CHILD


@pytest.mark.parametrize("comm", ["", "mpiuni"])
def test_an_esmf_without_mpi_asks_a_child(ranks, monkeypatch, comm):
    monkeypatch.setattr(Build, "found", lambda: Build("8.9.0", comm, "/opt/esmf/lib"))
    assert esmf_runs.where(ranks) is Where.CHILD


@pytest.mark.parametrize("needs", [{"libmpi.so.40"}, set()])
def test_an_esmf_with_another_mpi_than_mpi4py_asks_a_child(ranks, monkeypatch, needs):
    monkeypatch.setattr(Build, "mpi", needs)
    assert esmf_runs.where(ranks) is Where.CHILD


class Others(Serial):
    """Rank 0 of two; the other rank says what it is told to say."""

    def __init__(self, other: Where) -> None:
        self.other = other

    def allgather(self, item):
        return [item, self.other]


@pytest.mark.parametrize("mine", list(Where))
@pytest.mark.parametrize("other", list(Where))
def test_all_ranks_take_the_same_way(mine, other):
    assert esmf_runs.agreed(Others(other), mine) is (mine if mine is other else Where.CHILD)


def test_an_esmf_is_known_by_its_makefile(tmp_path, monkeypatch):
    path = tmp_path / "esmf.mk"
    path.write_text(MK)
    monkeypatch.setenv("ESMFMKFILE", str(path))
    assert Build.found() == Build("8.9.0", "mpich", "/opt/esmf/lib")


def test_no_makefile_is_no_esmf(tmp_path, monkeypatch):
    monkeypatch.setenv("ESMFMKFILE", str(tmp_path / "absent.mk"))
    assert Build.found() == Build()


def test_the_mpi_of_a_library_is_read_by_the_linker(monkeypatch):
    said = "\tlibmpich.so.12 => /usr/lib/libmpich.so.12 (0x7f)\n\tlibm.so.6 => /lib/libm.so.6 (0x7f)\n"
    monkeypatch.setattr(esmf_runs.subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=said))
    assert Build("8.9.0", "mpich", "/opt").mpi == {"libmpich.so.12"}


def test_an_mpi_that_nobody_can_name_is_none(monkeypatch):
    def absent(*arguments, **options):
        raise FileNotFoundError("ldd")

    monkeypatch.setattr(esmf_runs.subprocess, "run", absent)
    assert Build("8.9.0", "mpich", "/opt").mpi == set()


def test_libraries_that_only_sound_like_mpi_are_none():
    maps = (
        "r-xp /a/libmpi_abi.so.1\nr-xp /a/libmpifort.so.12\nr-xp /a/mpi4py/MPI.so\nr-xp /a/libmpi.so.12.3\n"
    )
    assert esmf_runs.MPI_LIBRARY.findall(maps) == ["libmpi.so.12"]


def test_two_mpi_libraries_are_refused_by_name():
    with pytest.raises(SpecError, match=r"two MPI libraries are loaded: /a/libmpich.so.12, /b/libmpi.so.40"):
        esmf_runs.refuse_two_libraries("r-xp /a/libmpich.so.12\nr-xp /b/libmpi.so.40\n")


def test_one_mpi_library_mapped_in_pieces_is_one():
    esmf_runs.refuse_two_libraries("r--p /a/libmpich.so.12\nr-xp /a/libmpich.so.12\n")


def test_an_esmf_in_another_world_is_refused():
    with pytest.raises(SpecError, match="ESMF is rank 0 of 1, the communicator 1 of 3"):
        esmf_runs._refuse_other_world(SimpleNamespace(rank=1, size=3, allgather=lambda x: [x]), Share(0, 1))


def entries(row, col, value, cells=(), fraction=()) -> esmf.Factors:
    kinds = (np.int64, np.int64, np.float64, np.int64, np.float64)
    parts = (row, col, value, cells, fraction)
    return esmf.Factors(*(np.array(part, dtype=kind) for part, kind in zip(parts, kinds, strict=True)))


def test_repeated_pairs_are_added_up_smallest_first(coarse, finer):
    # in the other order the small ones would be lost beside the large one
    made = esmf_runs.assembled(
        [entries([3, 3, 0], [5, 5, 1], [1.0, 2**-53, 0.5]), entries([3], [5], [2**-53])],
        coarse, finer, BILINEAR,
    )  # fmt: skip
    assert made.row.tolist() == [0, 3]
    assert made.col.tolist() == [1, 5]
    assert made.value.tolist() == [0.5, 1.0 + 2**-52]


def test_the_way_in_which_entries_come_changes_no_bit(coarse, finer):
    rng = np.random.default_rng(1)
    row, col, value = rng.integers(0, 9, 500), rng.integers(0, 7, 500), rng.normal(size=500)
    order = rng.permutation(500)
    one = esmf_runs.assembled([entries(row, col, value)], coarse, finer, BILINEAR)
    halves = [entries(row[o], col[o], value[o]) for o in (order[:123], order[123:])]
    assert same(esmf_runs.assembled(halves, coarse, finer, BILINEAR), one)


def test_methods_without_areas_cover_what_they_map(coarse, finer):
    made = esmf_runs.assembled([entries([7], [1], [1.0])], coarse, finer, BILINEAR)
    assert np.flatnonzero(made.frac_target).tolist() == [7]


def test_conservative_methods_cover_what_esmf_says(coarse, finer):
    made = esmf_runs.assembled([entries([7], [1], [1.0], [7, 3], [0.25, 0.0])], coarse, finer, CONSERVATIVE)
    assert made.frac_target[7] == 0.25
    assert made.frac_target.sum() == 0.25


SCHEMES = [
    CONSERVATIVE,
    Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA),
    Scheme(Method.BILINEAR, poles=Poles(PoleKind.NPNTAVG, 4), extrapolation=InverseDistance(5, 1 / 3)),
    Scheme(Method.PATCH, extrapolation=Creep(3)),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_what_is_asked_arrives_to_the_bit(tmp_path, rotated, scheme):
    area = np.linspace(1, 2, 4)
    mesh = Grid.mesh(
        [0, 4, 4, 0, 8], [0, 0, 4, 4, 2], [[0, 1, 2, 3], [1, 4, 2, -1]], area=area[:2], mask=[1, 0]
    )
    esmf_runs.ask(tmp_path / "ask.npz", rotated, mesh, scheme)
    source, target, found = esmf_runs.asked(tmp_path / "ask.npz")
    assert source == rotated
    assert target == mesh
    assert target.dims == mesh.dims
    assert found == scheme


def test_the_child_knows_nothing_of_the_launcher(monkeypatch, coarse, finer):
    seen = {}

    def run(command, env, **options):
        seen.update(env)
        return subprocess.CompletedProcess(command, 1, "", "noise\ntold by ESMF\n")

    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("TOLD", "yes")
    monkeypatch.setattr(esmf_runs.subprocess, "run", run)
    with pytest.raises(
        GridError, match=r"ESMPy makes no weights from latlon grid 6x12.*9x16.*: told by ESMF$"
    ):
        esmf_runs.in_child(coarse, finer, BILINEAR)
    assert "PMI_RANK" not in seen
    assert seen["TOLD"] == "yes"


def test_the_child_imports_what_the_parent_does(monkeypatch):
    monkeypatch.setattr(sys, "path", ["", "/somewhere"])
    path = esmf_runs.child_environment()["PYTHONPATH"]
    assert path.split(os.pathsep) == [str(Path.cwd()), "/somewhere"]


def test_a_child_that_dies_without_a_word_is_told(monkeypatch, coarse, finer):
    def run(command, **options):
        return subprocess.CompletedProcess(command, -11, "", "")

    monkeypatch.setattr(esmf_runs.subprocess, "run", run)
    with pytest.raises(GridError, match="its process ended with -11"):
        esmf_runs.in_child(coarse, finer, BILINEAR)


def test_what_esmf_logged_is_told(monkeypatch, coarse, finer):
    def run(command, cwd, **options):
        line = "20260101 120000.000 ERROR            PET0 Mesh.C:12 cell 7 is degenerate\n"
        Path(cwd, "PET0.ESMF_LogFile").write_text(line)
        return subprocess.CompletedProcess(command, 1, "", "rc = 506")

    monkeypatch.setattr(esmf_runs.subprocess, "run", run)
    with pytest.raises(GridError, match=r"rc = 506; ERROR .*cell 7 is degenerate"):
        esmf_runs.in_child(coarse, finer, BILINEAR)


def native(source: Grid, target: Grid, scheme: Scheme) -> Triplets:
    return generate(source, target, scheme)


@pytest.fixture
def child(monkeypatch) -> None:
    """The child's program run here, with native weights in ESMPy's place."""
    monkeypatch.setattr(esmf_runs, "in_process", native)

    def run(command, cwd, **options):
        assert command[1:] == ["-m", "tradewind.couplers.esmf_child"]
        esmf_child.answer(Path(cwd))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(esmf_runs.subprocess, "run", run)


def test_what_the_child_writes_is_what_the_parent_gets(child, coarse, finer):
    assert same(esmf_runs.in_child(coarse, finer, CONSERVATIVE), native(coarse, finer, CONSERVATIVE))


def test_a_serial_layout_gets_all_rows(child, alone, monkeypatch, coarse, finer):
    monkeypatch.setenv("PMI_RANK", "0")
    made = esmf_runs.weights(Layout(coarse), Layout(finer), CONSERVATIVE)
    assert same(made, native(coarse, finer, CONSERVATIVE))


def test_a_failing_child_says_why_in_its_last_line(monkeypatch, tmp_path, coarse, finer):
    def fail(*arguments):
        raise esmf.refused(coarse, finer, "rc = 506")

    monkeypatch.chdir(tmp_path)
    esmf_runs.ask(tmp_path / "ask.npz", coarse, finer, BILINEAR)
    monkeypatch.setattr(esmf_runs, "in_process", fail)
    with pytest.raises(SystemExit, match=r"ESMPy makes no weights .*: rc = 506"):
        esmf_child.main()


@needs_esmpy
@pytest.mark.parametrize("scheme", SCHEMES[:3], ids=str)
def test_a_child_makes_the_same_weights(coarse, finer, scheme):
    assert same(esmf_runs.in_process(coarse, finer, scheme), esmf_runs.in_child(coarse, finer, scheme))


@needs_esmpy
def test_a_thread_gets_the_same_weights(coarse, finer):
    found = []
    layouts = Layout(coarse), Layout(finer)
    thread = threading.Thread(target=lambda: found.append(esmf_runs.weights(*layouts, BILINEAR)))
    thread.start()
    thread.join()
    assert same(found[0], esmf_runs.in_process(coarse, finer, BILINEAR))
