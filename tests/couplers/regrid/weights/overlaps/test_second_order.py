"""Second-order conservative weights: against ESMF's files and figures, by their laws, and by their order."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.mapfile import WeightMap, read_map
from tradewind.couplers.regrid.quality.measures import quality
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate
from tradewind.couplers.regrid.weights.overlaps.second_order import by_source, by_target
from tradewind.errors import GridError

FILES = ["a_ll5_to_4x5_conserve_2nd", "e_C12_to_5_conserve_2nd_dstarea"]
DSTAREA = Scheme(Method.CONSERVATIVE_2ND, Norm.DSTAREA)
FRACAREA = Scheme(Method.CONSERVATIVE_2ND, Norm.FRACAREA)
FIRST = Scheme(Method.CONSERVATIVE, Norm.FRACAREA)


def equal_angle(nx: int, ny: int, **extras: object) -> Grid:
    return Grid.latlon((np.arange(ny) + 0.5) * 180 / ny - 90, (np.arange(nx) + 0.5) * 360 / nx, **extras)


def dense(made: Triplets) -> np.ndarray:
    out = np.zeros((made.n_target, made.n_source))
    np.add.at(out, (made.row, made.col), made.value)
    return out


# ---- ESMF's files, entry by entry


@cache
def esmf(path: Path) -> WeightMap:
    return read_map(path)


@cache
def native(path: Path) -> Triplets:
    return generate(esmf(path).source, esmf(path).target, DSTAREA)


@pytest.fixture(params=FILES)
def path(shared, request) -> Path:
    return shared / "reference" / "esmf_weights" / f"{request.param}.nc"


def significant(made: Triplets, content: WeightMap) -> np.ndarray:
    """Entries above 1e-10 as part of the smaller of the two cells."""
    here, there = content.target.polygon_area[:, None], content.source.polygon_area[None]
    return np.abs(dense(made)) * here / np.minimum(here, there) > 1e-10


@pytest.mark.shared
def test_the_same_cells_meet_as_in_esmf(path):
    theirs, ours = (significant(w, esmf(path)) for w in (esmf(path).weights, native(path)))
    assert np.array_equal(ours, theirs)


@pytest.mark.shared
def test_weights_are_esmfs(path):
    assert np.abs(dense(native(path)) - dense(esmf(path).weights)).max() <= 1e-11


@pytest.mark.shared
def test_covered_fractions_are_esmfs(path):
    assert np.abs(native(path).frac_target - esmf(path).weights.frac_target).max() <= 1e-12


# ---- ESMF's published figures


GRIDS = {
    "ll144x143": equal_angle(144, 143),
    "ll360x180": equal_angle(360, 180),
    "ll288x192": equal_angle(288, 192),
    "ll144x91": Grid.latlon(
        np.r_[-89.5, np.arange(-88.0, 89, 2), 89.5],
        -180 + 2.5 * np.arange(144),
        lat_bounds=np.r_[-90, np.arange(-89.0, 90, 2), 90],
    ),
}
PAIRS = ["ll144x143->ll360x180", "ll360x180->ll144x143", "ll288x192->ll144x91"]


def published(shared: Path, case: str) -> dict[str, list[float]]:
    """Mean, largest and rms misfit by function."""
    lines = (shared / "reference" / "regrid_benchmark.md").read_text().splitlines()
    cells = next(line for line in lines if line.startswith(f"| {case} |")).split("|")[3:7]
    names = ("sinusoid", "harmonic", "vortex", "gulfstream")
    return {n: [float(v) for v in c.split("/")] for n, c in zip(names, cells, strict=True)}


def figures(source: Grid, target: Grid, norm: Norm):
    return quality(Regridder.build(source, target, Method.CONSERVATIVE_2ND, norm=norm, backend="native"))


def as_published(found, expected: dict[str, list[float]]) -> bool:
    # three digits are published: half of the last one is a part of up to 0.5 %
    return all(
        np.allclose([m.mean, m.largest, m.rms], expected[name], rtol=0.01, atol=0)
        for name, m in found.misfits.items()
    )


@pytest.mark.shared
@pytest.mark.parametrize("pair", PAIRS)
def test_misfits_of_the_published_pairs_are_esmfs(shared, pair):
    source, target = (GRIDS[name] for name in pair.split("->"))
    found = figures(source, target, Norm.FRACAREA)
    assert as_published(found, published(shared, f"{pair} conserve_2nd"))
    assert found.conservation <= 1e-14


@pytest.mark.shared
@pytest.mark.parametrize("name", FILES)
def test_misfits_of_the_files_are_esmfs(shared, name):
    content = esmf(shared / "reference" / "esmf_weights" / f"{name}.nc")
    assert as_published(figures(content.source, content.target, Norm.DSTAREA), published(shared, name))


# ---- order of accuracy


def smooth(points: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(points, -1, 0)
    return 2 + np.sin(2 * x + 1) * np.cos(y) + z * z * x


def means(nx: int, ny: int, fine: int = 6) -> tuple[Grid, np.ndarray]:
    """A global grid, and the means of a smooth function over its cells from much finer ones."""
    small = equal_angle(nx * fine, ny * fine)
    shape = (ny, fine, nx, fine)
    area = small.polygon_area.reshape(shape)
    return equal_angle(nx, ny), (
        (area * smooth(small.centres).reshape(shape)).sum(axis=(1, 3)) / area.sum(axis=(1, 3))
    ).ravel()


def rms_error(scheme: Scheme, n: int) -> float:
    """Error between grids without parallels in common.

    Where two parallels run together, arcs cross in the middle of a side, and the mean corner, ESMF's middle
    of an overlap, is off by a tenth of it: that error is of first order.
    """
    (source, x), (target, y) = means(4 * n, 2 * n), means(5 * n, 2 * n + 1)
    made = generate(source, target, scheme)
    got = np.bincount(made.row, made.value * x[made.col], minlength=target.size)
    inner = np.abs(target.lat) < 60
    return float(np.sqrt(np.average((got - y)[inner] ** 2, weights=target.polygon_area[inner])))


def test_the_error_falls_by_four_when_cells_are_halved():
    assert rms_error(FRACAREA, 12) / rms_error(FRACAREA, 24) > 3.8


def test_the_error_of_first_order_falls_by_two_only():
    assert 1.7 < rms_error(FIRST, 12) / rms_error(FIRST, 24) < 2.6


def test_second_order_beats_first_order():
    assert rms_error(FRACAREA, 8) < 0.2 * rms_error(FIRST, 8)


# ---- laws


@st.composite
def latlon(draw: st.DrawFn) -> Grid:
    ny, nx = draw(st.integers(2, 7)), draw(st.integers(3, 9))
    start = draw(st.floats(-180, 180))
    inner = sorted(draw(st.lists(st.floats(-85, 85), min_size=ny - 1, max_size=ny - 1)))
    edges = np.r_[-90, inner, 90]
    edges = edges if np.diff(edges).min() > 2 else np.linspace(-90, 90, ny + 1)
    lon = start + np.arange(nx) * 360 / nx
    return Grid.latlon((edges[1:] + edges[:-1]) / 2, lon, lat_bounds=edges)


@settings(max_examples=25, deadline=None)
@given(latlon(), latlon(), st.integers(0, 2**31))
def test_integrals_are_kept(source, target, seed):
    field = np.random.default_rng(seed).standard_normal(source.size)
    made = generate(source, target, DSTAREA)
    got = np.sum(target.area[made.row] * made.value * field[made.col])
    assert got == pytest.approx(source.area @ field, abs=1e-14 * (source.area @ np.abs(field)) * 10)


@settings(max_examples=25, deadline=None)
@given(latlon(), latlon())
def test_rows_sum_to_one_or_to_the_covered_part(source, target):
    for scheme in (DSTAREA, FRACAREA):
        made = generate(source, target, scheme)
        expected = made.frac_target if scheme is DSTAREA else np.ones(target.size)
        assert np.abs(dense(made).sum(axis=1) - expected).max() <= 1e-13


@settings(max_examples=25, deadline=None)
@given(latlon(), latlon(), st.data())
def test_rows_do_not_depend_on_which_others_are_made(source, target, data):
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, target.size - 1), min_size=1))))
    whole, some = generate(source, target, FRACAREA), generate(source, target, FRACAREA, rows)
    kept = np.isin(whole.row, rows)
    assert np.array_equal(some.row, whole.row[kept])
    assert np.array_equal(some.col, whole.col[kept])
    assert np.array_equal(some.value, whole.value[kept])


# ESMF adds up the area of a ring of neighbours from one of them on, and of a hollow ring it matters which:
# numbered otherwise, or rounded otherwise in the last column, gradients differ by up to a few hundredths
RING = 0.02


@settings(max_examples=15, deadline=None)
@given(st.integers(10, 24), st.integers(6, 14), st.floats(-180, 180))
def test_the_order_of_latitudes_hardly_matters(nx, ny, start):
    lat, lon = (np.arange(ny) + 0.5) * 180 / ny - 90, start + np.arange(nx) * 360 / nx
    flip = np.arange(nx * ny).reshape(ny, nx)[::-1].ravel()
    target = equal_angle(17, 9)
    ours, theirs = (dense(generate(Grid.latlon(y, lon), target, FRACAREA)) for y in (lat, lat[::-1]))
    assert np.abs(theirs[:, flip] - ours).max() <= RING


@settings(max_examples=15, deadline=None)
@given(st.integers(10, 24), st.integers(6, 14), st.floats(-180, 0), st.sampled_from([-360.0, 360.0]))
def test_the_convention_of_longitudes_hardly_matters(nx, ny, start, turn):
    lat, lon = (np.arange(ny) + 0.5) * 180 / ny - 90, start + np.arange(nx) * 360 / nx
    target = equal_angle(17, 9)
    ours, theirs = (dense(generate(Grid.latlon(lat, x), target, FRACAREA)) for x in (lon, lon + turn))
    gap = np.abs(theirs - ours)
    assert np.median(gap[ours != 0]) <= 1e-9
    assert gap.max() <= RING


# ---- masks, regions, cells of all shapes


@pytest.fixture
def holed() -> Grid:
    return equal_angle(24, 12, mask=np.random.default_rng(2).random((12, 24)) > 0.3)


def test_masked_sources_give_nothing_and_neighbours_nothing_of_them(holed):
    made = generate(holed, equal_angle(20, 10), DSTAREA)
    assert holed.mask[made.col].all()


def test_masked_targets_receive_nothing(holed):
    made = generate(equal_angle(20, 10), holed, DSTAREA)
    assert holed.mask[made.row].all()


def test_integrals_are_kept_between_masks(holed):
    source = equal_angle(30, 15, mask=np.random.default_rng(3).random((15, 30)) > 0.2)
    made = generate(source, holed, DSTAREA)
    overlaps = generate(source, holed, Scheme(Method.CONSERVATIVE, Norm.DSTAREA))
    field = np.random.default_rng(4).standard_normal(source.size)
    got, shared = (np.sum(holed.area[m.row] * m.value * field[m.col]) for m in (made, overlaps))
    assert got == pytest.approx(shared, abs=1e-14)


def test_a_cell_that_falls_whole_into_one_target_has_no_use_for_its_gradient():
    # the sides of the two cells bulge beyond those of one that holds them, so the large one is wider
    source = Grid.latlon([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    target = Grid.latlon([2.0, 12.0], [2.0, 12.0], lat_bounds=[-3, 7, 17], lon_bounds=[-3, 7, 17])
    made = generate(source, target, DSTAREA)
    assert len(made.value) == 9
    assert np.array_equal(
        made.value, generate(source, target, Scheme(Method.CONSERVATIVE, Norm.DSTAREA)).value
    )


def test_a_grid_onto_itself_is_the_identity():
    grid = equal_angle(24, 12)
    assert np.allclose(dense(generate(grid, grid, FRACAREA)), np.eye(grid.size), rtol=0, atol=1e-13)


@pytest.mark.parametrize("target", [equal_angle(20, 10), equal_angle(36, 18)])
def test_meshes_of_mixed_polygons_keep_integrals_and_constants(globe, target):
    made = generate(globe, target, DSTAREA)
    field = np.random.default_rng(5).standard_normal(globe.size)
    got = np.sum(target.area[made.row] * made.value * field[made.col])
    assert got == pytest.approx(globe.area @ field, abs=1e-13)
    assert np.abs(dense(made).sum(axis=1) / made.frac_target - 1).max() <= 1e-13


def test_shared_amounts_are_those_of_first_order(globe):
    target = equal_angle(20, 10)
    second, first = (generate(globe, target, Scheme(m, Norm.DSTAREA)).frac_target for m in
                     (Method.CONSERVATIVE_2ND, Method.CONSERVATIVE))  # fmt: skip
    assert np.array_equal(second, first)


def test_overlaps_of_source_cells_are_those_of_all_targets():
    source, target = equal_angle(12, 6), equal_angle(10, 5)
    whole, some = by_target(source, target, np.arange(target.size)), by_source(source, target, np.array([7]))
    kept = whole.col == 7
    assert np.array_equal(some.row, whole.row[kept])
    assert np.array_equal(some.shift, whole.shift[kept])


def test_displacements_of_a_cell_balance_along_the_sphere():
    source, target = equal_angle(12, 6), equal_angle(10, 5)
    found = by_target(source, target, np.arange(target.size))
    for j, middle in zip(found.cells, found.middle, strict=True):
        moment = (found.area[found.col == j, None] * found.shift[found.col == j]).sum(axis=0)
        assert np.abs(moment - middle * (moment @ middle)).max() <= 1e-16


def test_grids_without_corners_are_refused():
    with pytest.raises(GridError, match="corners"):
        generate(Grid.points([0.0], [0.0]), equal_angle(12, 6), DSTAREA)


def test_grids_that_do_not_meet_share_nothing():
    here = Grid.latlon([10.0, 11.0], [10.0, 11.0])
    there = Grid.latlon([-10.0, -11.0], [10.0, 11.0])
    made = generate(here, there, DSTAREA)
    assert len(made.row) == 0
    assert not made.frac_target.any()
