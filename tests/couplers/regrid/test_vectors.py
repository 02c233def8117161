"""Vectors through their Cartesian components: flows that a pole does not break, and turned axes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.coupling.fields import Kind
from tradewind.couplers.grids import Grid
from tradewind.couplers.operators import Distributed, MatrixOperator, dot_test
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid.masks import MaskedRegridder
from tradewind.couplers.regrid.quantities import quantity_operator
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.vectors import GridAligned, VectorRegridder, rotation, tangents
from tradewind.errors import GridError, SpecError

METHODS = ("conservative", "conservative_2nd", "bilinear", "nearest_s2d", "nearest_d2s")


def globe(step: float) -> Grid:
    return Grid.latlon(np.arange(-90 + step / 2, 90, step), np.arange(step / 2, 360, step))


@pytest.fixture(scope="module")
def source() -> Grid:
    return globe(5.0)


@pytest.fixture(scope="module")
def target() -> Grid:
    return Grid.latlon(np.arange(88.0, -90, -4), np.arange(-177.0, 180, 6))


@pytest.fixture(scope="module")
def bilinear(source, target) -> VectorRegridder:
    return VectorRegridder(Regridder.build(source, target, "bilinear", backend="native"))


def components(grid: Grid, flow: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (east, north) of vectors in space, shape (size, 3)."""
    east, north = np.einsum("kcn,nc->kn", tangents(grid), flow)
    return torch.from_numpy(east), torch.from_numpy(north)


def solid(grid: Grid, axis) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a rotation of the whole sphere about an axis."""
    return components(grid, np.cross(np.array(axis, dtype=float), grid.centres))


def wind(grid: Grid, direction) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the wind that would be the same everywhere in space, without its part out of the ground."""
    return components(grid, np.broadcast_to(np.array(direction, dtype=float), (grid.size, 3)))


def error(found, expected) -> torch.Tensor:
    return torch.hypot(found[0] - expected[0], found[1] - expected[1])


# ---------------------------------------------------------------------- east and north
@pytest.mark.parametrize(
    ("lon", "lat", "east", "north"),
    [
        (0.0, 0.0, [0, 1, 0], [0, 0, 1]),
        (90.0, 0.0, [-1, 0, 0], [0, 0, 1]),
        (180.0, 0.0, [0, -1, 0], [0, 0, 1]),
        (0.0, 45.0, [0, 1, 0], [-(0.5**0.5), 0, 0.5**0.5]),
        (0.0, 90.0, [0, 1, 0], [-1, 0, 0]),
        (90.0, -90.0, [-1, 0, 0], [0, 1, 0]),
    ],
)
def test_east_and_north_by_hand(lon, lat, east, north):
    found = tangents(Grid.points([lon], [lat]))
    assert np.allclose(found[0, :, 0], east, atol=1e-15)
    assert np.allclose(found[1, :, 0], north, atol=1e-15)


def test_they_are_orthonormal_and_lie_on_the_ground(source):
    basis = np.concatenate([tangents(source), source.centres.T[None]])
    gram = np.einsum("kcn,lcn->nkl", basis, basis)
    assert np.allclose(gram, np.eye(3), atol=1e-14)


# ---------------------------------------------------------------------- flows
@pytest.mark.parametrize("axis", [(0, 0, 1), (1, 0, 0), (0.3, -0.5, 0.8)])
def test_a_solid_rotation_stays_one(source, target, bilinear, axis):
    # on chords of cells of 5 degrees it is slower by up to 1 - cos²(2.5°) = 0.0019, and more where poles cap
    found, expected = bilinear.regrid(*solid(source, axis)), solid(target, axis)
    assert float(error(found, expected).max()) < 0.004


def test_its_direction_is_exact_between_rows_where_weights_reproduce_places(source, target, bilinear):
    # bilinear weights on chords give Σ W r_j = s r_i: then ω × that is along ω × r_i, whatever ω is
    inner = torch.from_numpy(np.abs(target.lat) < 80)
    for axis in np.eye(3):
        (u, v), (a, b) = bilinear.regrid(*solid(source, axis)), solid(target, axis)
        assert float((u * b - v * a)[inner].abs().max()) < 1e-12


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (0.6, -0.8, 0)])
def test_a_wind_over_the_pole_goes_straight_on(source, target, bilinear, direction):
    found, expected = bilinear.regrid(*wind(source, direction)), wind(target, direction)
    assert float(error(found, expected).max()) < 0.004


def test_component_by_component_a_wind_over_the_pole_breaks(source, target, bilinear):
    direction = (1, 0, 0)
    u, v = wind(source, direction)
    naive = bilinear.regridder(u), bilinear.regridder(v)
    expected = wind(target, direction)
    polar = torch.from_numpy(np.abs(target.lat) > 87)
    ours = error(bilinear.regrid(u, v), expected)[polar].max()
    theirs = error(naive, expected)[polar].max()
    # 88 N lies a fifth of the way from the last row, 87.5 N, to the pole, where the norths of all meridians
    # cancel: a fifth of the wind is gone
    assert float(theirs) == pytest.approx(0.2, abs=0.01)
    assert float(theirs) > 50 * float(ours)


def test_far_from_the_poles_both_agree(source, target, bilinear):
    u, v = solid(source, (0.1, 0.2, 1.0))
    naive = bilinear.regridder(u), bilinear.regridder(v)
    tropics = torch.from_numpy(np.abs(target.lat) < 20)
    assert float(error(bilinear.regrid(u, v), naive)[tropics].max()) < 0.004


def test_the_error_falls_with_the_square_of_the_width(target):
    worst = []
    for step in (10.0, 5.0, 2.5):
        op = VectorRegridder(Regridder.build(globe(step), target, "bilinear", backend="native"))
        worst.append(float(error(op.regrid(*wind(globe(step), (1, 0, 0))), wind(target, (1, 0, 0))).max()))
    rates = np.log2(np.array(worst[:-1]) / worst[1:])
    assert (rates > 1.7).all()


def test_on_the_same_grid_nothing_changes(source):
    op = VectorRegridder(Regridder.build(source, source, "nearest_s2d", backend="native"))
    x = op.domain.random(1, (2,))
    assert torch.allclose(op(x), x, rtol=0, atol=1e-15)


def test_a_vector_is_turned_when_its_meridian_is_another():
    # from 89 N, 0 E straight over the pole to 89 N, 180 E: northward becomes southward
    here, there = Grid.points([0.0], [89.0]), Grid.points([180.0], [89.0])
    op = VectorRegridder(Regridder.build(here, there, "nearest_s2d", backend="native"))
    u, v = op.regrid(torch.tensor([2.0]).double(), torch.tensor([3.0]).double())
    assert u.tolist() == [pytest.approx(-2.0)]
    # the plane is tilted by 2 degrees: 3 cos(2°) of the northward part is left
    assert v.tolist() == [pytest.approx(-3.0 * np.cos(np.deg2rad(2.0)))]


# ---------------------------------------------------------------------- as an operator
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("norm", ["fracarea", "dstarea"])
def test_the_adjoint_is_exact(coarse, rotated, method, norm):
    op = VectorRegridder(Regridder.build(coarse, rotated, method, norm=norm, backend="native"))
    assert dot_test(op) <= 1e-14
    assert dot_test(op, batch=(2, 3)) <= 1e-14


def test_it_is_the_matrix_that_it_says(coarse, finer):
    inner = Regridder.build(coarse, finer, backend="native")
    op, W = VectorRegridder(inner), inner.weights.toarray()
    P, Q = tangents(coarse), tangents(finer)
    whole = np.einsum("kci,ij,lcj->kilj", Q, W, P).reshape(op.range.size, op.domain.size)
    x = op.domain.random(1)
    assert torch.allclose(op(x), torch.from_numpy(whole) @ x, rtol=1e-13, atol=1e-13)
    y = op.range.random(2)
    assert torch.allclose(op.adjoint(y), y @ torch.from_numpy(whole), rtol=1e-13, atol=1e-13)


def test_its_fields_are_pairs_on_cells(coarse, finer, source, bilinear):
    assert bilinear.domain == Distributed(Layout(source), extra=(2,))
    op = VectorRegridder(Regridder.build(coarse, finer, backend="native"))
    assert op(op.domain.random(1, (4,))).shape == (4, 2 * 144)


def test_torch_differentiates_in_both_modes(coarse, box):
    op = VectorRegridder(Regridder.build(coarse, box, backend="native"))
    x = op.domain.random(1).requires_grad_()
    assert torch.autograd.gradcheck(op, x, check_forward_ad=True, fast_mode=True)
    u, v = (torch.randn(72, dtype=torch.float64).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(op.regrid, (u, v), fast_mode=True)


def test_momentum_fluxes_keep_the_areas_of_their_models(coarse, finer):
    area = coarse.polygon_area.reshape(6, 12) * np.random.default_rng(1).uniform(0.97, 1.03, (6, 12))
    given = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), area=area)
    op = VectorRegridder(quantity_operator(given, finer, Kind.FLUX_INTENSIVE, backend="native"))
    assert dot_test(op) <= 1e-14


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_everything_moves_to_where_the_fields_are(coarse, finer, device):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    flux = quantity_operator(coarse, finer, Kind.STATE_EXTENSIVE, backend="native")
    mask = torch.rand(72, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    operators = (flux, VectorRegridder(flux), MaskedRegridder(flux.regridder, mask, 0.3))
    for op in operators:
        moved, x = op.to(device), op.domain.random(1, (2,))
        assert moved.device.type == device
        assert torch.allclose(moved(x.to(device)).cpu(), op(x), rtol=1e-13, atol=1e-14)
        assert dot_test(moved) <= 1e-14
    turned = GridAligned(coarse, device)
    x = turned.domain.random(1)
    assert torch.allclose(turned(x.to(device)).cpu(), GridAligned(coarse)(x), atol=1e-14)


@pytest.mark.parametrize("shapes", [(72, 71), (71, 71), (144, 144)])
def test_wrong_components_are_refused(coarse, finer, shapes):
    op = VectorRegridder(Regridder.build(coarse, finer, backend="native"))
    with pytest.raises(SpecError):
        op.regrid(*(torch.zeros(n, dtype=torch.float64) for n in shapes))


def test_a_scalar_field_is_refused(coarse, finer):
    op = VectorRegridder(Regridder.build(coarse, finer, backend="native"))
    with pytest.raises(SpecError, match=r"expected float64 of shape \(\.\.\., 144\).*got shape \(72,\)"):
        op(torch.zeros(72, dtype=torch.float64))


def test_what_is_no_regridder_is_refused():
    with pytest.raises(SpecError, match="is no field on cells"):
        VectorRegridder(MatrixOperator(torch.eye(2, dtype=torch.float64)))


# ---------------------------------------------------------------------- axes of a grid
def test_rows_of_latitudes_and_longitudes_run_east():
    assert not rotation(Grid.latlon([10.0, 0.0], [0.0, 10.0])).any()


def test_longitudes_that_descend_run_west():
    assert np.allclose(rotation(Grid.latlon([0.0, 10.0], [20.0, 10.0])), np.pi)


def test_longitudes_across_the_date_line_still_run_east():
    assert not rotation(Grid.latlon([0.0, 10.0], [170.0, 180.0, 190.0])).any()


def place(i, j, turn: float):
    """Return where (i, j) lies, in degrees about 0 E, 0 N, on a plane turned left by `turn` degrees."""
    a = np.deg2rad(turn)
    return i * np.cos(a) - j * np.sin(a), i * np.sin(a) + j * np.cos(a)


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 135.0, 180.0, -60.0])
@pytest.mark.parametrize("corners", ["with corners", "without"])
def test_a_small_turned_grid_shows_its_turn(turn, corners):
    j, i = np.mgrid[-2:3, -2:3] * 0.1
    jc, ic = np.mgrid[-2.5:3, -2.5:3] * 0.1
    outer = place(ic, jc, turn) if corners == "with corners" else (None, None)
    angle = rotation(Grid.curvilinear(*place(i, j, turn), *outer))
    gap = (angle - np.deg2rad(turn) + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(gap).max() < 1e-4


def test_files_begin_corners_where_they_like():
    j, i = np.mgrid[:3, :4] * 1.0
    jc, ic = np.mgrid[:4, :5] - 0.5
    x, y = (np.stack([c[:-1, :-1], c[:-1, 1:], c[1:, 1:], c[1:, :-1]], axis=-1) for c in place(ic, jc, 20))
    angles = [
        rotation(Grid.curvilinear(*place(i, j, 20), np.roll(x, k, -1), np.roll(y, k, -1))) for k in range(4)
    ]
    assert all(np.allclose(a, angles[0], atol=1e-14) for a in angles)


def test_the_axes_of_a_rotated_grid_are_found_exactly(rotated):
    # its rows are parallels about another pole: there i points along pole × centre
    angle = rotation(rotated)
    lat, lon = np.deg2rad(40.0), np.deg2rad(-97.0)
    pole = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    east, north = components(rotated, np.cross(pole, rotated.centres))
    assert np.allclose(angle, torch.atan2(north, east).numpy(), atol=1e-12)


def test_turning_back_and_forth_changes_nothing(rotated):
    op = GridAligned(rotated)
    x = op.domain.random(1, (2,))
    assert torch.allclose(op.T(op(x)), x, rtol=0, atol=1e-14)
    assert torch.allclose(op(op.T(x)), x, rtol=0, atol=1e-14)
    assert dot_test(op) <= 1e-14


def test_along_the_rows_is_where_the_angle_points(rotated):
    op, n = GridAligned(rotated), rotated.size
    angle = torch.from_numpy(rotation(rotated))
    i = torch.cat([torch.ones(n), torch.zeros(n)]).double()
    assert torch.allclose(op(i), torch.cat([angle.cos(), angle.sin()]), atol=1e-15)
    j = torch.cat([torch.zeros(n), torch.ones(n)]).double()
    assert torch.allclose(op(j), torch.cat([-angle.sin(), angle.cos()]), atol=1e-15)


def test_a_rotated_model_sends_its_winds_east_and_north(rotated):
    # the solid rotation about the rotated grid's own pole blows along its rows, and lands as what it is
    lat, lon = np.deg2rad(40.0), np.deg2rad(-97.0)
    pole = (-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat))
    inside = Grid.latlon(np.arange(36.0, 45, 1.5), np.arange(-101.0, -92, 1.5))
    chain = VectorRegridder(Regridder.build(rotated, inside, "bilinear", backend="native")) @ GridAligned(
        rotated
    )
    speed = torch.from_numpy(np.linalg.norm(np.cross(pole, rotated.centres), axis=1))
    y = chain(torch.cat([speed, torch.zeros_like(speed)])).reshape(2, -1)
    assert float(error(y, solid(inside, pole)).max()) < 0.002
    assert dot_test(chain) <= 1e-14


@pytest.mark.parametrize(
    "grid",
    [Grid.points([0.0, 1.0], [0.0, 1.0]), Grid.mesh([0.0, 1.0, 0.5], [0.0, 0.0, 1.0], [[0, 1, 2]])],
    ids=["points", "mesh"],
)
def test_what_has_no_rows_has_no_axes(grid):
    with pytest.raises(GridError, match="has no rows and columns"):
        rotation(grid)
    with pytest.raises(GridError, match="give its vectors as"):
        GridAligned(grid)


def test_one_column_shows_no_direction():
    with pytest.raises(GridError, match="one column shows no direction"):
        rotation(Grid.curvilinear([[0.0], [0.0]], [[0.0], [1.0]]))


@settings(max_examples=30, deadline=None)
@given(st.floats(-80, 80), st.floats(-180, 180), st.floats(-180, 180))
def test_length_is_kept_by_turning(lat, lon, turn):
    j, i = np.mgrid[:2, :3] * 0.1
    x, y = place(i, j, turn)
    op = GridAligned(Grid.curvilinear(lon + x, lat + y))
    v = op.domain.random(1)
    before, after = v.reshape(2, -1).norm(dim=0), op(v).reshape(2, -1).norm(dim=0)
    assert torch.allclose(before, after, rtol=1e-13)


# ---------------------------------------------------------------------- ESMPy's own
@pytest.mark.parametrize("method", ["BILINEAR", "NEAREST_STOD"])
def test_esmpy_regrids_vectors_the_same_way(tmp_path, monkeypatch, method):
    esmpy = pytest.importorskip("esmpy", reason="ESMPy is not installed")
    monkeypatch.chdir(tmp_path)  # it writes a log
    lat, lon = np.arange(-60.0, 61, 20), np.arange(0.0, 360, 30)
    grids = Grid.latlon(lat, lon), Grid.latlon([-50.0, 3.0, 47.0], [13.0, 101.0, 200.0])
    fields = [_esmpy_field(esmpy, grid) for grid in grids]
    u, v = (np.random.default_rng(k).standard_normal(grids[0].shape) for k in range(2))
    fields[0].data[...] = np.stack([u.T, v.T], axis=-1)
    regrid = esmpy.Regrid(
        *fields, regrid_method=getattr(esmpy.RegridMethod, method), vector_regrid=True,
        unmapped_action=esmpy.UnmappedAction.IGNORE,
    )  # fmt: skip
    theirs = regrid(*fields).data
    name = {"BILINEAR": "bilinear", "NEAREST_STOD": "nearest_s2d"}[method]
    op = VectorRegridder(Regridder.build(*grids, name, backend="native"))
    ours = op.regrid(torch.from_numpy(u.ravel()), torch.from_numpy(v.ravel()))
    for mine, other in zip(ours, np.moveaxis(theirs, -1, 0), strict=True):
        assert np.abs(other).min() > 0
        assert np.allclose(mine.reshape(grids[1].shape), other.T, rtol=0, atol=1e-13)


def _esmpy_field(esmpy, grid: Grid):
    rows, columns = grid.shape
    periodic = {"num_peri_dims": 1, "pole_dim": 1, "periodic_dim": 0} if grid.periodic else {}
    theirs = esmpy.Grid(
        np.array([columns, rows]), staggerloc=esmpy.StaggerLoc.CENTER, coord_sys=esmpy.CoordSys.SPH_DEG,
        **periodic,
    )  # fmt: skip
    theirs.get_coords(0)[...] = grid.lon.reshape(grid.shape).T
    theirs.get_coords(1)[...] = grid.lat.reshape(grid.shape).T
    return esmpy.Field(theirs, ndbounds=[2])
