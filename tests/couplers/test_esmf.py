"""ESMPy itself, where it is installed: the weights of ESMF's files; its options as a fake is told them."""

from __future__ import annotations

import importlib.util
import sys
from enum import IntEnum
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tradewind.couplers import esmf, esmf_runs
from tradewind.couplers.esmf_shapes import Share
from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.backends import recipe_of_file
from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, NearestSource, PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate
from tradewind.errors import GridError, SpecError

needs_esmpy = pytest.mark.skipif(importlib.util.find_spec("esmpy") is None, reason="ESMPy is not installed")
CASES = (
    "a_ll5_to_4x5_bilinear", "a_ll5_to_4x5_conserve_2nd", "a_ll5_to_4x5_conserve_dstarea",
    "a_ll5_to_4x5_conserve_fracarea", "a_ll5_to_4x5_nearest_stod", "a_ll5_to_4x5_patch",
    "b_permian_bilinear", "b_permian_conserve_dstarea", "b_permian_conserve_fracarea",
    "c_5_to_masked3_bilinear", "c_5_to_masked3_conserve_dstarea", "c_masked3_to_5_bilinear",
    "c_masked3_to_5_conserve_fracarea", "d_rotated_to_2.5_bilinear", "d_rotated_to_2.5_conserve_dstarea",
    "d_rotated_to_2.5_conserve_fracarea", "e_C12_to_5_conserve_2nd_dstarea", "e_C12_to_5_conserve_dstarea",
    "f_ll5_to_points_bilinear", "f_ll5_to_points_nearest_stod",
)  # fmt: skip


def same(a: Triplets, b: Triplets, tolerance: float) -> bool:
    pairs = np.array_equal(a.row, b.row) and np.array_equal(a.col, b.col)
    return pairs and bool(np.abs(a.value - b.value).max() <= tolerance)


def dense(weights: Triplets) -> np.ndarray:
    out = np.zeros((weights.n_target, weights.n_source))
    out[weights.row, weights.col] = weights.value
    return out


def names(*members: str) -> type[IntEnum]:
    return IntEnum("Names", members, start=0)


@pytest.fixture
def fake(monkeypatch) -> ModuleType:
    """ESMPy's names without ESMF."""
    module = ModuleType("esmpy")
    module.RegridMethod = names(
        "BILINEAR", "PATCH", "CONSERVE", "NEAREST_STOD", "NEAREST_DTOS", "CONSERVE_2ND"
    )
    module.NormType = names("DSTAREA", "FRACAREA")
    module.PoleMethod = names("NONE", "ALLAVG", "NPNTAVG", "TEETH")
    module.ExtrapMethod = names("NONE", "NEAREST_STOD", "NEAREST_IDAVG", "CREEP_FILL")
    module.UnmappedAction = names("ERROR", "IGNORE")
    module.EndAction = SimpleNamespace(NORMAL=1, KEEP_MPI=2)
    monkeypatch.setitem(sys.modules, "esmpy", module)
    return module


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("conservative", "CONSERVE"),
        ("conservative_2nd", "CONSERVE_2ND"),
        ("bilinear", "BILINEAR"),
        ("patch", "PATCH"),
        ("nearest_s2d", "NEAREST_STOD"),
        ("nearest_d2s", "NEAREST_DTOS"),
    ],
)
def test_methods_by_their_names_in_esmpy(fake, coarse, method, name):
    assert esmf.options(coarse, Scheme(Method(method)))["regrid_method"].name == name


@pytest.mark.parametrize("norm", list(Norm))
def test_conservative_methods_are_told_the_norm(fake, coarse, norm):
    assert esmf.options(coarse, Scheme(Method.CONSERVATIVE, norm))["norm_type"].name == norm.name


def test_methods_without_a_norm_are_told_none(fake, coarse):
    assert esmf.options(coarse, Scheme(Method.BILINEAR))["norm_type"] is None


def test_line_types_are_left_to_esmf(fake, coarse):
    assert "line_type" not in esmf.options(coarse, Scheme(Method.BILINEAR))


def test_masks_and_what_is_left_unmapped_are_no_errors(fake, coarse):
    found = esmf.options(coarse, Scheme())
    assert (found["src_mask_values"], found["dst_mask_values"]) == ([0], [0])
    assert found["unmapped_action"].name == "IGNORE"
    assert found["ignore_degenerate"]


def pole(source: Grid, scheme: Scheme) -> str:
    return esmf.options(source, scheme)["pole_method"].name


def test_a_global_grid_closes_at_the_poles_by_default(fake, coarse):
    assert pole(coarse, Scheme(Method.BILINEAR)) == "ALLAVG"
    assert pole(coarse, Scheme(Method.PATCH)) == "ALLAVG"


def test_nothing_else_closes_by_default(fake, coarse, box):
    tropics = Grid.latlon([-30.0, 0.0, 30.0], np.arange(15.0, 360, 30))
    assert pole(box, Scheme(Method.BILINEAR)) == "NONE"
    assert pole(tropics, Scheme(Method.BILINEAR)) == "NONE"
    assert pole(coarse, Scheme(Method.NEAREST_S2D)) == "NONE"
    assert pole(coarse, Scheme(Method.CONSERVATIVE)) == "NONE"


@pytest.mark.parametrize("kind", ["none", "allavg", "teeth"])
def test_poles_asked_for_are_handed_over(fake, coarse, kind):
    found = esmf.options(coarse, Scheme(Method.BILINEAR, poles=Poles(PoleKind(kind))))
    assert found["pole_method"].name == kind.upper()
    assert "regrid_pole_npoints" not in found


def test_the_mean_of_some_neighbours_is_told_how_many(fake, coarse):
    found = esmf.options(coarse, Scheme(Method.BILINEAR, poles=Poles(PoleKind.NPNTAVG, 3)))
    assert (found["pole_method"].name, found["regrid_pole_npoints"]) == ("NPNTAVG", 3)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (None, {}),
        (NearestSource(), {"extrap_method": 1}),
        (
            InverseDistance(5, 1.5),
            {"extrap_method": 2, "extrap_num_src_pnts": 5, "extrap_dist_exponent": 1.5},
        ),
        (Creep(2), {"extrap_method": 4, "extrap_num_levels": 2}),
    ],
)
def test_extrapolation_is_handed_over_with_all_its_numbers(fake, coarse, how, expected):
    found = esmf.options(coarse, Scheme(Method.BILINEAR, extrapolation=how))
    assert {k: v for k, v in found.items() if k.startswith("extrap")} == expected


@pytest.mark.parametrize(("with_mpi4py", "end"), [(False, 1), (True, 2)])
def test_an_mpi_that_mpi4py_began_is_not_ended_by_esmf(fake, monkeypatch, with_mpi4py, end):
    ends = []
    fake.Manager = lambda **options: ends.append(options["endFlag"])
    fake.local_pet, fake.pet_count = (lambda: 1), (lambda: 3)
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    if with_mpi4py:
        monkeypatch.setitem(sys.modules, "mpi4py.MPI", ModuleType("mpi4py.MPI"))
    assert esmf.start() == Share(1, 3)
    assert ends == [end]


def test_an_esmpy_that_does_not_start_is_told(monkeypatch, coarse, finer):
    monkeypatch.setitem(sys.modules, "esmpy", None)
    with pytest.raises(SpecError, match=r'esmpy is installed but broken.*backend="native"'):
        esmf.start()


@pytest.mark.parametrize("error", [ValueError, RuntimeError, TypeError])
def test_what_esmpy_says_is_told_with_both_grids(monkeypatch, coarse, finer, error):
    def fail(*arguments):
        raise error("rc = 506")

    monkeypatch.setattr(esmf, "_factors", fail)
    with pytest.raises(GridError, match=r"latlon grid 6x12 .* to latlon grid 9x16 .*: rc = 506"):
        esmf.factors(coarse, finer, Scheme(Method.BILINEAR), Share())


def test_a_grid_of_irregular_corners_is_a_mesh_for_conservative_methods_only():
    lon, lat = np.array([[0.5, 5.5]]), np.array([[0.5, 0.5]])
    apart = Grid.curvilinear(lon, lat, [[[0, 1, 1, 0], [5, 6, 6, 5]]], [[[0, 0, 1, 1]] * 2])
    assert not esmf.is_structured(apart, Method.CONSERVATIVE)
    assert esmf.is_structured(apart, Method.BILINEAR)


def in_process(source: Grid, target: Grid, method: Method, **how) -> Triplets:
    return esmf_runs.in_process(source, target, Scheme(method, **how))


@needs_esmpy
@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_esmpy_makes_the_weights_of_its_files(shared, case):
    content = read_map(shared / "reference" / "esmf_weights" / f"{case}.nc")
    made = esmf_runs.in_process(content.source, content.target, recipe_of_file(content.attributes).scheme)
    # repeated pairs of second order are added in another order than the file's, the rest has the same bits
    assert same(made, content.weights, 1e-14 if "2nd" in case else 0.0)
    assert np.array_equal(made.frac_target, content.weights.frac_target)


@needs_esmpy
@pytest.mark.parametrize("method", ["conservative", "bilinear"])
def test_both_backends_agree_on_grids_of_our_own(coarse, finer, box, rotated, method):
    for source, target in ((coarse, finer), (finer, coarse), (rotated, box)):
        ours = Regridder.build(source, target, method, backend="native")
        theirs = Regridder.build(source, target, method, backend="esmpy")
        assert theirs.backend == "esmpy"
        assert np.abs(ours.weights - theirs.weights).max() <= 1e-10


@pytest.fixture
def mesh() -> Grid:
    """A quadrilateral and a triangle beside it."""
    return Grid.mesh([0, 4, 4, 0, 8], [0, 0, 4, 4, 2], [[0, 1, 2, 3], [1, 4, 2, -1]])


@needs_esmpy
def test_a_mesh_is_regridded_by_both_alike(mesh):
    target = Grid.latlon([1.0, 2.0, 3.0], [1.0, 3.0, 5.0], mask=np.eye(3) == 0)
    scheme = Scheme(Method.CONSERVATIVE, Norm.DSTAREA)
    ours, theirs = generate(mesh, target, scheme), esmf_runs.in_process(mesh, target, scheme)
    assert np.abs(dense(ours) - dense(theirs)).max() <= 1e-12


@needs_esmpy
def test_polygons_are_targets_of_conservative_weights(coarse):
    # a pentagon inside one cell of 30 degrees takes all it has from there
    footprint = Grid.mesh([2.0, 8.0, 9.0, 5.0, 1.0], [1.0, 1.0, 4.0, 6.0, 4.0], [[0, 1, 2, 3, 4]])
    made = in_process(coarse, footprint, Method.CONSERVATIVE)
    assert made.row.tolist() == [0]
    assert made.col.tolist() == [3 * 12]
    assert abs(made.value[0] - 1.0) <= 1e-14


@needs_esmpy
@pytest.mark.parametrize("how", [NearestSource(), InverseDistance(3, 1.0), Creep(2)])
def test_extrapolation_maps_what_bilinear_leaves_and_keeps_the_rest(box, how):
    target = Grid.latlon(np.arange(25.0, 41, 1), np.arange(-111.0, -94, 1))
    plain, filled = in_process(box, target, Method.BILINEAR), None
    filled = in_process(box, target, Method.BILINEAR, extrapolation=how)
    mapped = plain.frac_target > 0
    assert filled.frac_target.sum() > plain.frac_target.sum()
    assert np.array_equal(dense(filled)[mapped], dense(plain)[mapped])
    assert np.abs(dense(filled)[filled.frac_target > 0].sum(axis=1) - 1).max() <= 1e-6


@needs_esmpy
def test_creep_goes_as_many_levels_as_asked(box):
    target = Grid.latlon(np.arange(21.0, 45, 1), np.arange(-115.0, -90, 1))
    reached = [
        in_process(box, target, Method.BILINEAR, extrapolation=Creep(n)).frac_target.sum() for n in (1, 2, 3)
    ]
    assert reached[0] < reached[1] < reached[2]


@needs_esmpy
def test_inverse_distance_takes_as_many_sources_as_asked(box):
    target = Grid.latlon(np.arange(20.0, 25, 1), np.arange(-111.0, -94, 1))
    for points in (1, 4):
        made = in_process(box, target, Method.BILINEAR, extrapolation=InverseDistance(points))
        assert set(np.bincount(made.row, minlength=target.size)) == {points}


@needs_esmpy
def test_poles_decide_what_stands_beyond_the_last_row(coarse):
    target = Grid.latlon([-85.0, 0.0, 85.0], np.arange(20.0, 360, 40))
    north = slice(2 * target.shape[1], None)
    width = {}
    for poles in (
        Poles(PoleKind.NONE),
        Poles(PoleKind.ALLAVG),
        Poles(PoleKind.NPNTAVG, 2),
        Poles(PoleKind.TEETH),
    ):
        made = in_process(coarse, target, Method.BILINEAR, poles=poles)
        width[str(poles)] = np.bincount(made.row, minlength=target.size)[north]
    assert set(width["none"]) == {0}
    assert set(width["allavg"]) == {12}
    assert set(width["npntavg(2)"]) <= {2, 3}
    assert set(width["teeth"]) <= {2, 3}
    assert width["teeth"].max() == 3


@needs_esmpy
def test_a_source_that_is_masked_gives_nothing(coarse, finer):
    mask = np.arange(72) != 30
    holed = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=mask)
    for method in (Method.CONSERVATIVE, Method.BILINEAR, Method.NEAREST_S2D, Method.NEAREST_D2S):
        assert 30 in in_process(coarse, finer, method).col
        assert 30 not in in_process(holed, finer, method).col


@needs_esmpy
def test_points_are_sources_and_targets_of_nearest(coarse):
    stations = Grid.points([16.0, 44.0, 200.0], [1.0, -20.0, 80.0], mask=[True, True, False])
    onto = in_process(coarse, stations, Method.NEAREST_S2D)
    assert onto.row.tolist() == [0, 1]
    assert onto.col.tolist() == [36, 25]
    back = in_process(stations, coarse, Method.NEAREST_D2S)
    assert set(back.col) <= {0, 1}


@needs_esmpy
def test_areas_of_a_model_do_not_change_the_weights(finer):
    lat, lon = np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30)
    plain = Grid.latlon(lat, lon)
    own = Grid.latlon(lat, lon, area=plain.polygon_area.reshape(6, 12) * 1.1)
    for method in (Method.CONSERVATIVE, Method.CONSERVATIVE_2ND):
        assert same(in_process(own, finer, method), in_process(plain, finer, method), 0.0)
        assert same(in_process(finer, own, method), in_process(finer, plain, method), 0.0)


@needs_esmpy
@pytest.mark.parametrize("norm", list(Norm))
def test_areas_given_to_esmf_would_correct_what_is_corrected_here(monkeypatch, coarse, finer, norm):
    # with a its areas and A the polygons', ESMF scales dstarea weights by (a_j / A_j) (A_i / a_i)
    import esmpy

    rng = np.random.default_rng(3)
    given = {grid: grid.polygon_area * rng.uniform(0.9, 1.1, grid.size) for grid in (coarse, finer)}
    plain, place = in_process(coarse, finer, Method.CONSERVATIVE, norm=norm), esmf._place

    def with_areas(grid: Grid, *options: object) -> object:
        made = place(grid, *options)
        area = made.field.grid.add_item(esmpy.GridItem.AREA, esmpy.StaggerLoc.CENTER)
        area[...] = given[grid].reshape(grid.shape).T
        return made

    monkeypatch.setattr(esmf, "_place", with_areas)
    scaled = in_process(coarse, finer, Method.CONSERVATIVE, norm=norm)
    ratio = {grid: given[grid] / grid.polygon_area for grid in given}
    ours = plain.value * ratio[coarse][plain.col] / ratio[finer][plain.row]
    assert np.abs(scaled.value - ours).max() <= 1e-12


@needs_esmpy
@pytest.mark.parametrize("how", [NearestSource(), InverseDistance(3, 1.5), Creep(1), Creep(3)], ids=str)
def test_both_backends_extrapolate_alike(box, how):
    # cells of no symmetry: sources of equal distance would be a matter of rounding
    wide = Grid.latlon(np.arange(21.1, 45, 1), np.arange(-114.87, -90, 1))
    scheme = Scheme(Method.BILINEAR, extrapolation=how)
    ours, theirs = generate(box, wide, scheme), esmf_runs.in_process(box, wide, scheme)
    assert np.abs(dense(ours) - dense(theirs)).max() <= 1e-12


@needs_esmpy
@pytest.mark.parametrize("poles", [*map(Poles, PoleKind), Poles(PoleKind.NPNTAVG, 3)], ids=str)
def test_both_backends_close_poles_alike(coarse, poles):
    target = Grid.latlon([-85.0, 0.0, 85.0], np.arange(20.0, 360, 40))
    scheme = Scheme(Method.BILINEAR, poles=poles)
    ours, theirs = generate(coarse, target, scheme), esmf_runs.in_process(coarse, target, scheme)
    assert np.abs(dense(ours) - dense(theirs)).max() <= 1e-12
