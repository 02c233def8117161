"""Maps between levels: weights by hand, totals kept, exact adjoints, the same bits in every cell."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tradewind.couplers.coupling.how import Along, Keep, Outside
from tradewind.couplers.coupling.levels import (
    LevelMap,
    LevelWeights,
    OneLevel,
    interpolated,
    layered,
    selected,
    summed,
)
from tradewind.errors import SpecError

INTERFACES = st.lists(st.floats(0.0, 1e5), min_size=2, max_size=7, unique=True).map(sorted)


def column(*values: float) -> Tensor:
    """Return a field of one member and one cell, shape ``(1, level, 1)``."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None]


def values(field: Tensor) -> list[float]:
    return field.flatten().tolist()


def dot_test(of: LevelMap, levels: int, batch: tuple[int, ...] = (2,)) -> float:
    """Return |<L x, y> - <x, Lᵀ y>| / (‖L x‖ ‖y‖)."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(*batch, levels, 5, generator=random, dtype=torch.float64)
    lx = of.forward(x)
    y = torch.randn(lx.shape, generator=random, dtype=torch.float64)
    back = of.adjoint(y)
    assert back.shape == x.shape
    return float(abs((lx * y).sum() - (x * back).sum()) / (lx.norm() * y.norm()))


# ---------------------------------------------------------------------- selection, sums
def test_levels_are_taken_in_the_order_asked_for():
    assert values(selected(4, [2, 0, -1]).forward(column(10, 11, 12, 13))) == [12.0, 10.0, 13.0]


def test_the_axis_of_one_level_disappears_and_comes_back():
    first = OneLevel(selected(3, [0]))
    x = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    assert torch.equal(first.forward(x), x[:, 0])
    back = first.adjoint(x[:, 0])
    assert back.shape == (2, 3, 4)
    assert torch.equal(back[:, 0], x[:, 0])
    assert not back[:, 1:].any()


def test_a_level_that_is_taken_twice_gets_both_cotangents():
    assert values(selected(2, [1, 1]).adjoint(column(3, 4))) == [0.0, 7.0]


@pytest.mark.parametrize("wanted", [[3], [-4], [0, 7]])
def test_levels_that_are_not_there_are_named(wanted):
    with pytest.raises(SpecError, match=rf"level {wanted[-1]} of 3 \(0 is the first, 2 or -1 the last\)"):
        selected(3, wanted)


def test_no_level_at_all_is_refused():
    with pytest.raises(SpecError, match="level none of 3"):
        selected(3, [])


def test_a_column_is_the_sum_of_its_levels():
    assert values(summed(3).forward(column(1, 2, 4))) == [7.0]
    assert values(summed(3, [0.5, 0.25, 0.25]).forward(column(1, 2, 4))) == [2.0]


def test_a_sum_wants_a_weight_for_each_level():
    with pytest.raises(SpecError, match="2 weights for 3 levels"):
        summed(3, [1.0, 2.0])


def test_fields_of_other_levels_are_refused():
    with pytest.raises(SpecError, match=r"expected \(\.\.\., 3, cell\), got \(1, 2, 1\)"):
        summed(3).forward(column(1, 2))
    with pytest.raises(SpecError, match=r"expected \(\.\.\., 1, cell\)"):
        summed(3).adjoint(column(1, 2))


# ---------------------------------------------------------------------- interpolation
def test_halfway_is_the_mean():
    assert values(interpolated([0, 100, 300], [50, 200, 300]).forward(column(1, 3, 7))) == [2.0, 5.0, 7.0]


def test_coordinates_may_fall():
    falling = interpolated([300, 100, 0], [250, 0])
    assert values(falling.forward(column(8, 4, 2))) == [7.0, 2.0]  # a quarter of the way from 300 to 100


def test_in_the_logarithm_the_geometric_mean_is_halfway():
    halfway = interpolated([1000, 250], [500], Along.LOG).forward(column(0, 1))
    assert values(halfway) == pytest.approx([0.5], abs=1e-15)
    # linearly, 500 is two thirds of the way
    assert values(interpolated([1000, 250], [500]).forward(column(0, 1))) == pytest.approx([2 / 3])


def test_levels_that_agree_are_taken_as_they_are():
    assert interpolated([850, 500, 200], [500, 850]).rows == (((1, 1.0),), ((0, 1.0),))


def test_outside_is_refused_or_the_nearest():
    with pytest.raises(SpecError, match=r"levels at 1013 lie outside of 200 to 1000 \(outside: nearest"):
        interpolated([1000, 200], [1013, 500])
    nearest = interpolated([1000, 200], [1013, 100], outside=Outside.NEAREST)
    assert values(nearest.forward(column(5, 9))) == [5.0, 9.0]


def test_pascals_for_hectopascals_are_noticed():
    with pytest.raises(SpecError, match="mend the units"):
        interpolated([100000, 50000], [850, 700])


def test_a_logarithm_needs_what_is_positive():
    with pytest.raises(SpecError, match="no logarithm of 0"):
        interpolated([1000, 0], [500], Along.LOG)


@pytest.mark.parametrize("wrong", [[1, 3, 2], [1, 1], [], [1, math.nan]])
def test_coordinates_must_rise_or_fall(wrong):
    with pytest.raises(SpecError, match="neither rise nor fall"):
        interpolated(wrong, [1])


@given(st.lists(st.floats(1.0, 1e5), min_size=2, max_size=6, unique=True), st.floats(0, 1), st.booleans())
def test_what_is_linear_in_the_coordinate_is_exact(points, part, logarithmic):
    p = sorted(points, reverse=True)
    q = [p[-1] + part * (p[0] - p[-1])]
    along, of = (Along.LOG, math.log) if logarithmic else (Along.LINEAR, float)
    found = interpolated(p, q, along, Outside.NEAREST).forward(column(*(2.0 * of(v) + 1.0 for v in p)))
    assert values(found) == pytest.approx([2.0 * of(q[0]) + 1.0], rel=1e-9, abs=1e-9)


# ---------------------------------------------------------------------- layers
def test_means_are_weighted_by_thickness():
    # layers of 100 and 300, into one of 200: its lower half from the first, its upper from the second
    half = layered([0, 100, 400], [0, 200], Keep.MEAN)
    assert values(half.forward(column(2, 6))) == [4.0]
    whole = layered([0, 100, 400], [0, 400], Keep.MEAN)
    assert values(whole.forward(column(2, 6))) == [(100 * 2 + 300 * 6) / 400]


def test_amounts_are_shared_out_by_thickness():
    # of the 6 in the upper layer of 300, a third lies below 200
    shared = layered([0, 100, 400], [0, 200, 400], Keep.AMOUNT)
    assert values(shared.forward(column(2, 6))) == pytest.approx([2 + 6 / 3, 4.0])


def test_layers_may_be_counted_from_either_end():
    up = layered([0, 100, 400], [0, 200, 400])
    down = layered([400, 100, 0], [0, 200, 400])
    assert torch.equal(up.forward(column(2, 6)), down.forward(column(6, 2)))


def test_layers_beyond_the_others_are_refused_or_filled():
    with pytest.raises(SpecError, match="target layers at 500 lie outside of 0 to 400"):
        layered([0, 100, 400], [0, 500])
    filled = layered([0, 100, 400], [300, 500], Keep.MEAN, Outside.NEAREST)
    assert values(filled.forward(column(2, 6))) == [6.0]


def test_amounts_beyond_the_others_are_refused_or_go_to_the_nearest():
    with pytest.raises(SpecError, match="source layers at 400 lie outside of 0 to 300"):
        layered([0, 100, 400], [0, 300], Keep.AMOUNT)
    kept = layered([0, 100, 400], [0, 50, 300], Keep.AMOUNT, Outside.NEAREST)
    assert values(kept.forward(column(2, 6))) == pytest.approx([1.0, 7.0])


@given(INTERFACES, INTERFACES, st.randoms(use_true_random=False))
def test_amounts_are_kept_in_every_column(p, q, random):
    x = column(*(random.uniform(-1, 1) for _ in p[1:]))
    y = layered(p, q, Keep.AMOUNT, Outside.NEAREST).forward(x)
    assert float(y.sum()) == pytest.approx(float(x.sum()), abs=1e-12)


@given(INTERFACES, INTERFACES)
def test_means_of_a_constant_are_that_constant(p, q):
    y = layered(p, q, Keep.MEAN, Outside.NEAREST).forward(column(*(3.0 for _ in p[1:])))
    assert values(y) == pytest.approx([3.0] * (len(q) - 1), rel=1e-12)


def test_means_over_the_same_column_keep_its_mass():
    p, q = [0.0, 130.0, 400.0, 1000.0], [0.0, 500.0, 600.0, 1000.0]
    x = column(1.5, -2.0, 7.0)
    y = layered(p, q, Keep.MEAN).forward(x)
    masses = [
        sum((b - a) * v for a, b, v in zip(edges, edges[1:], values(field), strict=False))
        for edges, field in ((p, x), (q, y))
    ]
    assert masses[0] == pytest.approx(masses[1], rel=1e-14)


# ---------------------------------------------------------------------- all of them
MAPS = {
    "selection": (selected(4, [3, 1]), 4),
    "one level": (OneLevel(selected(4, [2])), 4),
    "sum": (OneLevel(summed(3, [0.2, 0.3, 0.5])), 3),
    "interpolation": (interpolated([1000, 700, 300], [900, 650, 400, 300], Along.LOG), 3),
    "means": (layered([0, 3, 7, 10], [0, 1, 4, 9]), 3),
    "amounts": (layered([0, 3, 7, 10], [0, 1, 4, 10], Keep.AMOUNT), 3),
}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_adjoints_are_exact(name, batch):
    of, levels = MAPS[name]
    assert dot_test(of, levels, batch) <= 1e-15


@pytest.mark.parametrize("name", MAPS)
def test_every_cell_has_the_same_bits_alone(name):
    of, levels = MAPS[name]
    x = torch.randn(2, levels, 37, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    whole = of.forward(x)
    alone = torch.cat([of.forward(x[..., i : i + 1]) for i in range(37)], dim=-1)
    assert torch.equal(whole, alone)


@pytest.mark.parametrize("name", MAPS)
def test_a_rank_without_cells_bears_it(name):
    of, levels = MAPS[name]
    assert of.forward(torch.zeros(2, levels, 0, dtype=torch.float64)).shape[-1] == 0


def test_a_level_that_gets_nothing_is_zero():
    # target layer 1 begins where the source ends: with another map of rows, nothing goes there
    assert values(LevelWeights(((), ((0, 2.0),)), 1).forward(column(3.0))) == [0.0, 6.0]
