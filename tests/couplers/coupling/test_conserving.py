"""Global conservation: residuals by hand, exact adjoints, the same bits on any number of ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tradewind.couplers.coupling.conserving import GloballyConserving
from tradewind.couplers.coupling.exchange import End
from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, LinearOperator, dot_test
from tradewind.couplers.operators.elementary import MatrixOperator
from tradewind.couplers.ranks.layout import Layout
from tradewind.errors import GridError

PROGRAM = Path(__file__).parent / "programs" / "conserving_on_ranks.py"


def end(areas: list[float], mask: list[bool] | None = None, kind: Kind = Kind.FLUX_INTENSIVE) -> End:
    lon = 10.0 * np.arange(len(areas))
    grid = Grid.latlon(
        [0.0], lon, lat_bounds=[-5.0, 5.0], area=[areas], mask=None if mask is None else [mask]
    )
    return End("a", Variable("flux", "kg m-2 s-1", grid, kind), Layout(grid))


def between(source: End, target: End, matrix: list[list[float]]) -> LinearOperator:
    weights = torch.tensor(matrix, dtype=torch.float64)
    return MatrixOperator(weights, Distributed(source.layout), Distributed(target.layout))


def fields(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_what_is_missing_is_spread_over_all_cells_alike():
    source, target = end([1.0, 1.0]), end([1.0, 3.0])
    operator = GloballyConserving(between(source, target, [[1, 0], [0, 1]]), source, target)
    # x = (3, 5): I_s = 8, I_t = 3 + 15 = 18, so each of four steradian gives 10 / 4 back
    assert operator.forward(fields([3, 5])).tolist() == [[0.5, 2.5]]


def test_masked_cells_neither_count_nor_receive():
    source, target = end([1.0, 1.0], [True, False]), end([1.0, 2.0, 1.0], [True, True, False])
    operator = GloballyConserving(between(source, target, [[1, 0], [1, 0], [9, 0]]), source, target)
    x = fields([6.0, float("nan")]).nan_to_num(nan=1e9)
    # I_s = 6, I_t = 6 + 12: -12 over three steradian
    assert operator.forward(x).tolist() == [[2.0, 2.0, 54.0]]


def test_amounts_are_counted_without_areas():
    kind = Kind.FLUX_EXTENSIVE
    source, target = end([1.0, 1.0], kind=kind), end([1.0, 3.0], kind=kind)
    operator = GloballyConserving(between(source, target, [[0.5, 0], [0, 0.5]]), source, target)
    assert operator.forward(fields([4, 6])).tolist() == [[4.5, 5.5]]


def test_members_are_conserved_one_by_one():
    source, target = end([1.0, 1.0]), end([1.0, 3.0])
    operator = GloballyConserving(between(source, target, [[1, 0], [0, 1]]), source, target)
    both = operator.forward(fields([3, 5], [0, 4]))
    assert torch.equal(both[:1], operator.forward(fields([3, 5])))
    assert torch.equal(both[1:], operator.forward(fields([0, 4])))


def test_what_is_conserved_already_stays():
    source, target = end([1.0, 1.0]), end([1.0, 1.0])
    operator = GloballyConserving(between(source, target, [[0, 1], [1, 0]]), source, target)
    assert operator.forward(fields([3, 5])).tolist() == [[5.0, 3.0]]


def test_the_adjoint_by_hand():
    source, target = end([2.0, 1.0]), end([1.0, 3.0])
    operator = GloballyConserving(between(source, target, [[1, 0], [0, 1]]), source, target)
    # rows of the whole: y1' = x1 + (2 x1 + x2 - x1 - 3 x2) / 4, y2' = x2 + (the same) / 4
    assert operator.adjoint(fields([1, 0])).tolist() == [[1.25, -0.5]]
    assert operator.adjoint(fields([0, 1])).tolist() == [[0.25, 0.5]]
    assert dot_test(operator, batch=(3, 2)) <= 1e-15


def test_points_have_no_integral():
    grid = Grid.points([0.0, 10.0], [0.0, 0.0])
    points = End("a", Variable("t", "K", grid), Layout(grid))
    with pytest.raises(GridError, match=r"a\.t: has no areas, so that there is no integral to conserve"):
        GloballyConserving(between(points, points, [[1, 0], [0, 1]]), points, points)


def test_a_target_without_active_cells_is_refused():
    source, target = end([1.0, 1.0]), end([1.0, 1.0], [False, False])
    with pytest.raises(GridError, match="no active cell"):
        GloballyConserving(between(source, target, [[1, 0], [0, 1]]), source, target)


@pytest.fixture(scope="module")
def on_one() -> dict[str, np.ndarray]:
    import importlib.util

    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.results(None)


def test_totals_agree_between_real_grids(on_one):
    left, arrived = on_one["integrals"]
    assert arrived == pytest.approx(left, rel=1e-13)
    assert on_one["dot"] <= 1e-14


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_gives_the_same_bits(mpiexec, tmp_path, on_one, ranks):
    mpiexec(ranks, PROGRAM, tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    for name in ("forward", "adjoint", "integrals"):
        assert np.array_equal(found[name], on_one[name]), name


@pytest.mark.mpi
def test_ranks_refuse_fractions_together(mpiexec, tmp_path, on_one):
    mpiexec(2, PROGRAM, tmp_path / "out.npz")
    found = np.load(tmp_path / "out.npz")
    assert str(on_one["sound"]) == str(found["sound"]) == ""
    assert "add up to 1.25 at cell" in str(on_one["wrong"])
    assert str(found["wrong"])
