"""Hosts on several ranks: each puts and gets its own cells, in its own order; all together are one run."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.couplers.ranks.parallel import Serial
from tradewind.errors import GridError
from tradewind.hosting.failing import CallError, Code
from tradewind.hosting.session import Session

LON = np.tile([0.0, 10.0, 20.0], 2)
LAT = np.repeat([0.0, 10.0], 3)
SOURCE = np.arange(12.0).reshape(2, 6)

RANKS = """
import sys
import numpy as np
from mpi4py import MPI
from tradewind.hosting import entry
from tradewind.hosting.failing import CallError
from tradewind.errors import RankError, TradewindError

world = MPI.COMM_WORLD
session = entry.open("run.yaml", world.py2f())
pond, sea = session.component("pond"), session.component("sea")
# cells go round by rank, each rank's in falling order; the last rank has none
owners = max(1, world.size - 1)
mine = np.arange(6)[world.rank :: owners][::-1] if world.rank < owners else np.arange(0)
LON, LAT = np.tile([0.0, 10.0, 20.0], 2), np.repeat([0.0, 10.0], 3)
SOURCE, FORCE = np.arange(12.0).reshape(2, 6), np.arange(6.0) - 2.5
for part in (pond, sea):
    part.set_grid(mine + 1, LON[mine], LAT[mine])


def get(part, name, what=0, levels=None):
    out = np.zeros((len(mine),) if levels is None else (levels, len(mine)))
    part.get(what, name, out)
    return out


def whole(values):
    found = np.zeros((*values.shape[:-1], 6))
    for cells, part in zip(world.allgather(mine), world.allgather(values)):
        found[..., cells] = part
    return found


pond.put(0, "source", SOURCE[:, mine])
pond.run(0.0, 60.0)
found = [whole(get(pond, "amount"))]
pond.put(1, "source", SOURCE[:, mine] ** 2)
pond.tangent()
found.append(whole(get(pond, "twice", 1)))
pond.put(2, "twice", FORCE[mine])
pond.adjoint()
found += [whole(get(pond, "source", 2, 2)), whole(get(pond, "amount", 2))]
kept = np.zeros(())
pond.get(2, "kept", kept)
found.append(np.full(6, kept))
assert pond.dot_test() <= 1e-14

# the host's own columns stay where they are
sea.put(0, "warmth", FORCE[mine])
sea.put(0, "rain", FORCE[mine])
sea.run(0.0, 60.0)
found.append(whole(get(sea, "warmth")))
assert sea.dot_test() <= 1e-14

# one rank fails: all do, and nothing has moved
before = whole(get(pond, "amount"))
pond.put(0, "source", SOURCE[:, mine] * (1000 if world.rank == 0 else 1))
try:
    pond.run(60.0, 60.0)
    failed = False
except (KeyError, TradewindError):
    failed = True
assert all(world.allgather(failed))
assert np.array_equal(before, whole(get(pond, "amount")))

# fields that only some ranks put are named on all
pond.put(0, "source", SOURCE[:, mine])
if world.rank == 0:
    pond.put(0, "amount", np.zeros(len(mine)))
try:
    pond.run(60.0, 60.0)
    told = 0
except TradewindError as error:
    told = entry.told(error)[0]
assert told == 14, told
session.close()
if world.rank == 0:
    np.concatenate([f.ravel() for f in found]).tofile("found")
"""


FORCE = np.arange(6.0) - 2.5
BY_HAND = [
    0.5 + SOURCE.sum(0),
    2 * (SOURCE**2).sum(0),
    np.tile(2 * FORCE, 2),
    FORCE,
    np.full(6, (2 * FORCE).sum()),
    FORCE,
]
"""The amount, a tangent of twice it, adjoints of source, amount and parameter, and what the host exports."""


def test_ranks_of_which_one_has_no_cells_are_one_run(write, tmp_path, mpiexec):
    write("fail")
    (tmp_path / "ranks.py").write_text(RANKS)
    mpiexec(3, tmp_path / "ranks.py")
    assert np.array_equal(np.fromfile(tmp_path / "found"), np.concatenate(BY_HAND, axis=None))


# ---------------------------------------------------------------------- one rank
@pytest.fixture
def opened(session):
    """The model before its shapes are settled."""
    return session.component("pond")


def test_cells_may_come_in_any_order(opened):
    mine = np.array([3, 0, 5, 1, 4, 2])
    opened.set_grid(mine + 1, LON[mine], LAT[mine])
    opened.put(0, "source", SOURCE[:, mine])
    opened.run(0.0, 60.0)
    out = np.zeros(6)
    opened.get(0, "amount", out)
    assert np.array_equal(out, (0.5 + SOURCE.sum(0))[mine])


def test_longitudes_may_go_round(opened):
    opened.set_grid(np.arange(1, 7), LON - 360, LAT)


@pytest.mark.parametrize(
    ("index", "lon", "lat", "what"),
    [
        (np.arange(6), LON, LAT, "cell number 0"),
        (np.array([1, 2, 3, 4, 5, 5]), LON, LAT, "given twice"),
        (np.arange(1, 6), LON[:5], LAT[:5], "5 cells, the component has 6"),
        (np.arange(2, 8), LON, LAT, "7 cells, the component has 6"),
        (np.arange(1, 7), LON + 1, LAT, "cell 1 is at 1 E"),
        (np.arange(1, 7), LON, np.full(6, np.nan), "give degrees"),
        (np.arange(1, 7), LON, np.full(6, 100.0), "give degrees"),
        (np.arange(1, 7), LON[:3], LAT, "3"),
    ],
)
def test_cells_that_are_not_those_of_the_component_are_refused(opened, index, lon, lat, what):
    with pytest.raises(GridError, match=what):
        opened.set_grid(index, lon, lat)


def test_a_host_that_masks_an_active_cell_is_told(opened):
    mask = np.ones(6, dtype=np.int32)
    mask[2] = 0
    with pytest.raises(GridError, match="cell 3 takes part"):
        opened.set_grid(np.arange(1, 7), LON, LAT, mask)


def test_columns_of_the_host_need_no_grid_of_the_config(session):
    sea = session.component("sea")
    with pytest.raises(CallError) as caught:
        sea.describe()
    assert caught.value.code is Code.ORDER
    sea.set_grid(np.array([2, 1]), np.array([10.0, 0.0]), np.zeros(2))
    sea.put(0, "warmth", np.array([5.0, 4.0]))
    sea.put(0, "rain", np.zeros(2))
    sea.run(0.0, 60.0)
    out = np.zeros(2)
    sea.get(0, "warmth", out)
    assert np.array_equal(out, [5.0, 4.0])


def test_a_column_that_no_rank_has_is_named(session):
    with pytest.raises(GridError, match="the first is 2"):
        session.component("sea").set_grid(np.array([1, 3]), np.zeros(2), np.zeros(2))


def test_no_columns_at_all_are_refused(session):
    with pytest.raises(GridError, match="no rank has a cell"):
        session.component("sea").set_grid(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


def test_a_component_without_places_takes_no_grid(write, tmp_path):
    path = write()
    session = Session(path, Serial())
    member = session.assembly.members["pond"]
    member.spec, member.layouts = type(member.spec)(), {}
    with pytest.raises(GridError, match="no cells"):
        session.component("pond").set_grid(np.arange(1, 7), LON, LAT)
