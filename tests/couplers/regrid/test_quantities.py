"""What a variable measures decides how it is regridded: totals kept, wrong pairs refused, areas honoured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.coupling.fields import Kind, Variable
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.quantities import QuantityRegridder, choose, excess, norm_of, quantity_operator
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Method, NearestSource, Norm, Scheme
from tradewind.errors import GridError, SpecError

STATE, AMOUNT = Kind.STATE_INTENSIVE, Kind.STATE_EXTENSIVE
FLUX, RATE = Kind.FLUX_INTENSIVE, Kind.FLUX_EXTENSIVE
POINTS = Grid.points([15.0, 100.0, 200.0], [10.0, -20.0, 70.0])


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def make(source, target, of, scheme=None) -> QuantityRegridder:
    return quantity_operator(source, target, of, scheme, backend="native")


def strip(edges, area=None) -> Grid:
    """Cells from equator to pole, between the given longitudes: their areas are the differences."""
    edges = np.array(edges, dtype=float)
    centres = (edges[:-1] + edges[1:]) / 2
    given = None if area is None else np.deg2rad(np.array(area, dtype=float))[None]
    return Grid.latlon([45.0], centres, lat_bounds=[0.0, 90.0], lon_bounds=edges, area=given)


def globe(area=None) -> Grid:
    """30 degrees, with the areas that a model may use."""
    return Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), area=area)


def turned(area=None) -> Grid:
    """20 x 22.5 degrees, from north to south."""
    return Grid.latlon(np.arange(80.0, -90, -20), np.arange(-168.75, 180, 22.5), area=area)


def off(grid: Grid, percent: float, seed: int) -> np.ndarray:
    """Areas that miss the polygons' by up to some per cent."""
    drawn = np.random.default_rng(seed).uniform(-1, 1, grid.shape)
    return grid.polygon_area.reshape(grid.shape) * (1 + percent / 100 * drawn)


def total(field, weight) -> float:
    return float((field * torch.as_tensor(weight)).sum())


# ---------------------------------------------------------------------- what the kinds choose
@pytest.mark.parametrize(
    ("kind", "scheme"),
    [
        (STATE, Scheme(Method.CONSERVATIVE, Norm.FRACAREA)),
        (FLUX, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)),
        (AMOUNT, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)),
        (RATE, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)),
    ],
)
def test_between_cells_everything_is_conservative_with_its_own_norm(kind, scheme):
    chosen = choose(kind, globe(), turned())
    assert chosen.scheme == scheme
    assert str(kind) in chosen.why


def test_states_are_read_between_places_where_there_are_no_cells():
    assert choose(STATE, globe(), POINTS).scheme.method is Method.BILINEAR
    assert choose(STATE, POINTS, globe()).scheme.method is Method.NEAREST_S2D
    triangle = Grid.mesh([0.0, 40.0, 20.0], [0.0, 0.0, 30.0], [[0, 1, 2]])
    assert choose(STATE, triangle, POINTS).scheme.method is Method.BILINEAR


def test_amounts_at_points_go_whole_to_the_nearest_cell():
    assert choose(RATE, POINTS, globe()).scheme.method is Method.NEAREST_D2S


@pytest.mark.parametrize(("kind", "source"), [(FLUX, POINTS), (FLUX, globe()), (AMOUNT, globe())])
def test_totals_that_cannot_be_kept_are_refused(kind, source):
    with pytest.raises(
        SpecError, match=r"its total cannot be kept between .*points grid.*give the grid corners"
    ):
        choose(kind, source, POINTS)


def test_a_method_by_name_takes_the_norm_of_the_kind():
    assert choose(FLUX, globe(), turned(), "conservative_2nd").scheme.norm is Norm.DSTAREA
    assert choose(STATE, globe(), turned(), Method.CONSERVATIVE_2ND).scheme.norm is Norm.FRACAREA


def test_a_scheme_is_taken_as_it_is():
    wanted = Scheme(Method.BILINEAR, extrapolation=NearestSource())
    chosen = choose(STATE, globe(), turned(), wanted)
    assert (chosen.scheme, chosen.why) == (wanted, "as asked")


def test_a_kind_that_is_none_is_refused_with_those_that_are():
    with pytest.raises(SpecError, match=r"no kind 'flux' \(one of state, intensive, .*flux, extensive\)"):
        choose("flux", globe(), turned())


def test_only_states_are_divided_by_what_is_covered():
    assert [k for k in Kind if norm_of(k) is Norm.FRACAREA] == [STATE]


# ---------------------------------------------------------------------- wrong pairs
@pytest.mark.parametrize("method", ["bilinear", "patch", "nearest_s2d", "nearest_d2s"])
def test_a_flux_keeps_its_integral_or_is_refused(method):
    flux = Variable("sensible_heat", "W m-2", kind=FLUX)
    with pytest.raises(
        SpecError,
        match=f"'sensible_heat' is a flux, intensive: {method} does not keep its integral.*use conservative",
    ):
        choose(flux, globe(), turned(), method)


@pytest.mark.parametrize("kind", [AMOUNT, RATE])
@pytest.mark.parametrize("method", ["bilinear", "patch", "nearest_s2d"])
def test_amounts_are_shared_out_not_copied(kind, method):
    with pytest.raises(SpecError, match=f"{kind}: {method} copies amounts.*use conservative or nearest_d2s"):
        choose(kind, globe(), turned(), method)


@pytest.mark.parametrize("kind", [AMOUNT, RATE])
@pytest.mark.parametrize("method", ["conservative", "conservative_2nd"])
def test_amounts_are_not_blown_up(kind, method):
    with pytest.raises(SpecError, match=r"conservative.*, fracarea blows up .*use norm dstarea"):
        choose(kind, globe(), turned(), Scheme(Method(method), Norm.FRACAREA))


@pytest.mark.parametrize("method", ["conservative", "conservative_2nd"])
def test_states_are_not_diluted(method):
    with pytest.raises(SpecError, match=r"dilutes cells that are covered in part: 300 K .*use norm fracarea"):
        choose(STATE, globe(), turned(), Scheme(Method(method), Norm.DSTAREA))


def test_states_are_not_added():
    with pytest.raises(SpecError, match=r"nearest_d2s adds what several sources send.*use nearest_s2d"):
        choose(STATE, globe(), turned(), "nearest_d2s")


def test_a_kind_without_a_name_is_refused_too():
    with pytest.raises(SpecError, match="a quantity is a flux, intensive: bilinear"):
        make(globe(), turned(), FLUX, "bilinear")


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("method", [m for m in Method if m is not Method.PATCH])
@pytest.mark.parametrize("norm", list(Norm))
def test_every_pair_is_either_kept_or_refused(kind, method, norm):
    """What is let through keeps constants (states) or totals (all others), also where cells overhang."""
    source, target = Grid.latlon([5.0, 15.0, 25.0], [5.0, 15.0, 25.0, 35.0]), turned()
    try:
        op = make(source, target, kind, Scheme(method, norm))
    except SpecError:
        return
    x = torch.ones(12, dtype=torch.float64)
    y = op(x)
    if kind is STATE:
        assert torch.allclose(y[~op.regridder.unmapped], tensor(1.0), rtol=1e-12)
    elif kind.is_extensive:
        assert float(y.sum()) == pytest.approx(12.0, rel=1e-13)
    elif norm is Norm.DSTAREA:
        assert total(y, target.area) == pytest.approx(total(x, source.area), rel=1e-13)
    else:
        assert any("norm fracarea gives cells that are covered in part" in note for note in op.notes)


# ---------------------------------------------------------------------- numbers by hand
def test_amounts_are_shared_by_area():
    # cell 1 (from 1 to 3) lies half in the first target, half in the second: 10 + 20/2, 20/2 + 5
    op = make(strip([0, 1, 3, 4]), strip([0, 2, 4]), AMOUNT)
    assert op(tensor(10.0, 20.0, 5.0)) == pytest.approx(tensor(20.0, 15.0), rel=1e-12)


def test_densities_of_the_same_are_means():
    # the same kilograms as kg per degree: 10, 10, 5 -> 10, 7.5
    for kind in (FLUX, STATE):
        op = make(strip([0, 1, 3, 4]), strip([0, 2, 4]), kind)
        assert op(tensor(10.0, 10.0, 5.0)) == pytest.approx(tensor(10.0, 7.5), rel=1e-12)


def test_a_target_that_is_half_covered():
    # source from 0 to 1, target from 0 to 2
    source, target = strip([0, 0.5, 1]), strip([0, 2, 4])
    x = tensor(6.0, 6.0)
    assert make(source, target, STATE)(x)[0] == pytest.approx(6.0)  # a temperature stays
    assert make(source, target, FLUX)(x)[0] == pytest.approx(3.0)  # a flux spreads
    assert make(source, target, AMOUNT)(x)[0] == pytest.approx(12.0)  # amounts add up


def test_point_sources_are_added_to_their_cells():
    # kg s-1 at three points, two of them in the cell from 0 to 30 E
    points = Grid.points([10.0, 20.0, 100.0], [10.0, 20.0, -40.0])
    y = make(points, globe(), RATE)(tensor(1.0, 2.0, 4.0))
    assert sorted(y[y != 0].tolist()) == [3.0, 4.0]


def test_unmapped_cells_are_nan_or_the_fill():
    op = make(strip([0, 0.5, 1]), strip([0, 2, 4]), AMOUNT)
    assert op.regrid_field(tensor(6.0, 6.0))[1].isnan()
    assert op.regrid_field(tensor(6.0, 6.0), fill=-1.0).tolist() == [pytest.approx(12.0), -1.0]


# ---------------------------------------------------------------------- areas of the models
def test_a_flux_is_corrected_on_both_sides():
    # the source's model thinks its cells are 10 % larger, the target's that its cells are 20 % smaller:
    # 1.1 * (2 * 1 + 4 * 1) / (0.8 * 2) = 4.125
    op = make(strip([0, 1, 2], [1.1, 1.1]), strip([0, 2, 4], [1.6, 1.6]), FLUX)
    assert op(tensor(2.0, 4.0))[0] == pytest.approx(4.125, rel=1e-12)


def test_states_and_amounts_are_not_corrected():
    plain = strip([0, 1, 2]), strip([0, 2, 4])
    given = strip([0, 1, 2], [1.1, 1.1]), strip([0, 2, 4], [1.6, 1.6])
    for kind in (STATE, AMOUNT, RATE):
        x = tensor(2.0, 4.0)
        assert torch.equal(make(*given, kind)(x), make(*plain, kind)(x))


@pytest.mark.parametrize("percent", [0.0, 3.0, 10.0])
def test_the_integral_is_kept_by_the_areas_of_the_models(percent):
    source, target = globe(off(globe(), percent, 1)), turned(off(turned(), percent, 2))
    op = make(source, target, FLUX)
    x = 1.0 + op.domain.random(3).square()
    assert total(op(x), target.area) == pytest.approx(total(x, source.area), rel=1e-13)


def test_without_the_correction_it_is_not():
    source, target = globe(off(globe(), 3.0, 1)), turned(off(turned(), 3.0, 2))
    plain = Regridder.build(source, target, "conservative", norm="dstarea", backend="native")
    x = 1.0 + plain.domain.random(3).square()
    assert abs(total(plain(x), target.area) / total(x, source.area) - 1) > 1e-4


def test_areas_that_differ_are_said():
    source = globe(off(globe(), 3.0, 1) * 1.02)
    notes = make(source, turned(), FLUX).notes
    assert any("areas that the source's model uses differ from its polygons' by up to 4." in n for n in notes)
    assert not any("target" in n for n in notes)
    assert not make(source, turned(), STATE).notes


def test_rounding_of_areas_is_not_said():
    assert not make(globe(globe().polygon_area.reshape(6, 12) * (1 + 1e-9)), turned(), FLUX).notes


@pytest.mark.parametrize("side", ["source", "target"])
def test_square_metres_are_refused(side):
    wrong = globe(globe().polygon_area.reshape(6, 12) * 6.371e6**2)
    pair = (wrong, turned()) if side == "source" else (turned(), wrong)
    with pytest.raises(GridError, match=r"4.06e\+13 times those of the polygons .*steradian"):
        make(*pair, FLUX)


def test_masked_cells_may_have_no_area():
    area, mask = off(globe(), 3.0, 1), np.ones((6, 12), dtype=bool)
    area[0, 0], mask[0, 0] = 1e-12, False
    source = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=mask, area=area)
    for pair in ((source, turned()), (turned(), source)):
        op = make(*pair, FLUX)
        assert op(op.domain.random(1)).isfinite().all()
        assert dot_test(op) <= 1e-14


# ---------------------------------------------------------------------- as operators
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("percent", [None, 5.0])
def test_the_adjoint_is_exact(kind, percent):
    areas = (None, None) if percent is None else (off(globe(), percent, 1), off(turned(), percent, 2))
    assert dot_test(make(globe(areas[0]), turned(areas[1]), kind), batch=(2,)) <= 1e-14


@pytest.mark.parametrize("kind", list(Kind))
def test_torch_differentiates_in_both_modes(kind):
    op = make(globe(off(globe(), 3.0, 1)), turned(), kind)
    x = op.domain.random(1).requires_grad_()
    assert torch.autograd.gradcheck(op, x, check_forward_ad=True, fast_mode=True)


def test_a_state_costs_no_more_than_its_weights():
    op = make(globe(), turned(), STATE)
    assert op.before is None
    assert op.after is None
    x = op.domain.random(1)
    assert torch.equal(op(x), op.regridder(x))


def test_layouts_are_taken_too_and_weights_are_kept(tmp_path):
    pair = Layout(globe()), Layout(turned())
    first, again = (quantity_operator(*pair, FLUX, backend="native", cache=tmp_path) for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 1
    x = first.domain.random(1)
    assert torch.equal(first(x), again(x))


@pytest.mark.parametrize("kind", [AMOUNT, FLUX])
def test_what_is_no_field_is_refused(kind):
    op = make(globe(off(globe(), 3.0, 1)), turned(), kind)
    with pytest.raises(SpecError, match=r"got shape \(144,\)"):
        op(torch.zeros(144, dtype=torch.float64))
    with pytest.raises(SpecError, match="float32"):
        op.adjoint(torch.zeros(144))


# ---------------------------------------------------------------------- notes
def test_a_flux_by_covered_area_is_allowed_and_what_it_makes_is_said():
    # target 0 is covered by half, target 1 not at all: a uniform flux doubles
    op = make(strip([0, 0.5, 1]), strip([0, 2, 4]), FLUX, Scheme(Method.CONSERVATIVE, Norm.FRACAREA))
    assert excess(op.regridder) == pytest.approx(1.0)
    assert any("a uniform one grows by 100.00%" in note for note in op.notes)


def test_where_every_cell_is_covered_both_norms_are_one():
    op = make(globe(), turned(), FLUX, Scheme(Method.CONSERVATIVE, Norm.FRACAREA))
    assert op.notes == []
    plain, x = make(globe(), turned(), FLUX), op.domain.random(1)
    assert torch.allclose(op(x), plain(x), rtol=1e-12, atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(0.2, 3.0), min_size=2, max_size=6),
    st.lists(st.floats(0.2, 3.0), min_size=2, max_size=6),
    st.floats(-2.0, 2.0),
)
def test_amounts_within_the_target_are_all_there(widths, others, start):
    source = strip(np.cumsum([start, *widths]))
    edges = np.cumsum([start - 1.0, *others])
    target = strip([*edges, max(edges[-1], start + sum(widths)) + 1.0])
    x = torch.arange(1.0, source.size + 1, dtype=torch.float64)
    assert float(make(source, target, AMOUNT)(x).sum()) == pytest.approx(float(x.sum()), rel=1e-12)
