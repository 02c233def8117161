"""Three ranks, the second without cells: derivatives, analyses, inversions and files as in a serial run.

Every rank holds the decomposed sessions, and serial ones of its own to compare with; where something differs,
it fails.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

from tradewind.couplers.ranks.parallel import MpiCommunicator, Serial
from tradewind.hosting.session import Session

COMM = MpiCommunicator(MPI.COMM_WORLD)
CELLS = 8
MINE = np.array([[1, 3, 5, 7], [], [8, 2, 4, 6]][COMM.rank], dtype=np.int64)
EVERY = np.arange(1, CELLS + 1)
LON, LAT = np.tile(np.arange(0.0, 120.0, 30.0), 2), np.repeat([0.0, 10.0], 4)
DAY = 86400.0
GIVEN = np.linspace(7.0, 10.0, CELLS)


def begun(path: Path, comm) -> tuple[Session, object, np.ndarray]:
    """Open a config; return it, its component, and the numbers of the cells that are this rank's."""
    session = Session(str(path), comm)
    part, cells = session.component("ocean"), MINE if comm.size > 1 else EVERY
    part.set_grid(cells, LON[cells - 1], LAT[cells - 1], None)
    return session, part, cells - 1


def register(part, cells: np.ndarray) -> None:
    """Bring the host's model: every cell decays by itself, at a rate of its own."""
    rate = 0.9 - 0.01 * cells

    def step(time, dt):
        x = np.empty(len(cells))
        part.get(0, "x", x)
        part.put(0, "x", rate * x + 0.8)
        return 0

    def tangent(time, dt):
        x = np.empty(len(cells))
        part.get(1, "x", x)
        part.put(1, "x", rate * x)
        return 0

    def adjoint(time, dt):
        x = np.empty(len(cells))
        part.get(2, "x", x)
        part.put(2, "x", rate * x)
        return 0

    part.enroll(step, tangent, adjoint)


def differentiated(path: Path, comm) -> tuple[np.ndarray, float, np.ndarray]:
    """Return the adjoint of two runs, and the dot test."""
    session, part, cells = begun(path, comm)
    register(part, cells)
    session.record(True)
    part.put(0, "x", GIVEN[cells])
    for k in range(2):
        part.run(k * DAY / 4, DAY / 4)
    for k in range(2):
        part.put(2, "x", GIVEN[cells] + k)
        part.adjoint()
    out = np.empty(len(cells))
    part.get(2, "x", out)
    return out, part.dot_test(), cells


def solved(path: Path, comm) -> tuple[np.ndarray, np.ndarray]:
    """Return the posterior, with the host's step in it."""
    session, part, cells = begun(path, comm)
    register(part, cells)
    session.solve()
    out = np.empty(len(cells))
    part.get(0, "x", out)
    return out, cells


def analysed(path: Path, comm, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the members that the host has put, analysed; half of the way another session makes."""
    session, part, cells = begun(path, comm)
    members = GIVEN + np.random.default_rng(1).standard_normal((4, CELLS))
    part.put(0, "x", np.ascontiguousarray(members[:, cells]))
    session.advance(DAY)
    session.checkpoint(str(folder / f"members{comm.size}"))
    other, part, cells = begun(path, comm)
    # what one rank has written, three read, and the other way round
    other.restore(str(folder / f"members{4 - comm.size}"))
    other.analyse()
    out = np.empty((4, len(cells)))
    part.get(0, "x", out)
    return out, cells


def main(folder: Path) -> None:
    """Compare."""
    solver, filtered = folder / "solver.yaml", folder / "filter.yaml"
    whole, dot, _ = differentiated(solver, Serial())
    part, dot_of_ranks, cells = differentiated(solver, COMM)
    assert np.array_equal(part, whole[cells])
    assert dot_of_ranks == dot <= 1e-15
    whole, _ = solved(solver, Serial())
    part, cells = solved(solver, COMM)
    assert np.array_equal(part, whole[cells])
    if COMM.rank == 0:
        session, alone, _ = begun(filtered, Serial())
        members = GIVEN + np.random.default_rng(1).standard_normal((4, CELLS))
        alone.put(0, "x", members)
        session.advance(DAY)
        session.checkpoint(str(folder / "members1"))
    COMM.barrier()
    part, cells = analysed(filtered, COMM, folder)
    session, alone, _ = begun(filtered, Serial())
    session.restore(str(folder / "members3"))
    session.analyse()
    out = np.empty((4, CELLS))
    alone.get(0, "x", out)
    assert np.array_equal(part, out[:, cells])


main(Path(sys.argv[1]))
