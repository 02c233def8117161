"""ESMPy itself, where it is installed: the weights of ESMF's files; and what can be tested without."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from tradewind.couplers import esmf
from tradewind.couplers.grids import Grid
from tradewind.couplers.regrid.mapfile import read_map
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.weights import Method, Norm, Scheme, Triplets, generate
from tradewind.errors import GridError, SpecError

needs_esmpy = pytest.mark.skipif(importlib.util.find_spec("esmpy") is None, reason="ESMPy is not installed")
CASES = {
    "a_ll5_to_4x5_conserve_dstarea": Method.CONSERVATIVE,
    "a_ll5_to_4x5_conserve_fracarea": Method.CONSERVATIVE,
    "a_ll5_to_4x5_conserve_2nd": Method.CONSERVATIVE_2ND,
    "a_ll5_to_4x5_bilinear": Method.BILINEAR,
    "a_ll5_to_4x5_patch": Method.PATCH,
    "b_permian_conserve_fracarea": Method.CONSERVATIVE,
    "b_permian_bilinear": Method.BILINEAR,
    "c_masked3_to_5_bilinear": Method.BILINEAR,
    "c_5_to_masked3_conserve_dstarea": Method.CONSERVATIVE,
    "d_rotated_to_2.5_conserve_fracarea": Method.CONSERVATIVE,
    "d_rotated_to_2.5_bilinear": Method.BILINEAR,
    "e_C12_to_5_conserve_dstarea": Method.CONSERVATIVE,
    "e_C12_to_5_conserve_2nd_dstarea": Method.CONSERVATIVE_2ND,
    "f_ll5_to_points_bilinear": Method.BILINEAR,
    "f_ll5_to_points_nearest_stod": Method.NEAREST_S2D,
}


def same(a: Triplets, b: Triplets, tolerance: float) -> bool:
    pairs = np.array_equal(a.row, b.row) and np.array_equal(a.col, b.col)
    return pairs and bool(np.abs(a.value - b.value).max() <= tolerance)


def dense(weights: Triplets) -> np.ndarray:
    out = np.zeros((weights.n_target, weights.n_source))
    out[weights.row, weights.col] = weights.value
    return out


def test_nodes_of_a_regional_grid(box):
    lon, lat = esmf.node_coordinates(box)
    assert lon[0].tolist() == [-110, -108, -106, -104, -102, -100, -98, -96]
    assert lat[:, 0].tolist() == [26, 28, 30, 32, 34, 36, 38]


def test_nodes_of_a_global_grid_are_not_closed_twice(coarse):
    lon, lat = esmf.node_coordinates(coarse)
    assert lon.shape == (7, 12)
    assert lat[:, 5].tolist() == [-90, -60, -30, 0, 30, 60, 90]


def test_nodes_of_a_grid_from_north_to_south(finer):
    _, lat = esmf.node_coordinates(finer)
    assert lat[:, 0].tolist() == [90, 70, 50, 30, 10, -10, -30, -50, -70, -90]


def test_nodes_of_a_curvilinear_grid_are_its_corners(rotated):
    lon, lat = esmf.node_coordinates(rotated)
    again = Grid.curvilinear(rotated.lon.reshape(8, 10), rotated.lat.reshape(8, 10), lon, lat)
    assert again == rotated


def test_cells_that_share_no_corners_have_no_nodes():
    lon, lat = np.array([[0.5, 5.5]]), np.array([[0.5, 0.5]])
    apart = Grid.curvilinear(lon, lat, [[[0, 1, 1, 0], [5, 6, 6, 5]]], [[[0, 0, 1, 1]] * 2])
    assert esmf.node_coordinates(apart) is None


def test_a_grid_without_corners_has_no_nodes():
    lon, lat = np.meshgrid([0.0, 1.0], [0.0, 1.0])
    assert esmf.node_coordinates(Grid.curvilinear(lon, lat)) is None


@pytest.mark.parametrize("name", ["PMI_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID"])
def test_under_a_launcher_a_child_makes_the_weights(monkeypatch, coarse, finer, name):
    asked = []
    monkeypatch.setenv(name, "0")
    monkeypatch.setattr(esmf, "in_child", lambda *arguments: asked.append(arguments))
    esmf.weights(coarse, finer, Scheme(Method.BILINEAR))
    assert asked == [(coarse, finer, Method.BILINEAR, Norm.FRACAREA)]


def test_the_child_knows_nothing_of_the_launcher(monkeypatch, coarse, finer):
    seen = {}

    def run(command, env, **options):
        seen.update(env)
        return subprocess.CompletedProcess(command, 1, "", "told by ESMF")

    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setattr(esmf.subprocess, "run", run)
    with pytest.raises(GridError, match=r"ESMPy makes no weights from latlon grid 6x12.*told by ESMF"):
        esmf.in_child(coarse, finer, Method.BILINEAR, Norm.FRACAREA)
    assert "PMI_RANK" not in seen
    assert seen["PATH"] == os.environ["PATH"]


def test_what_the_child_writes_is_what_the_parent_gets(monkeypatch, coarse, finer):
    # the child's program run here, with native weights in ESMPy's place
    monkeypatch.setattr(esmf, "in_process", generate)

    def run(command, **options):
        esmf.main(command[3:])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(esmf.subprocess, "run", run)
    got = esmf.in_child(coarse, finer, Method.CONSERVATIVE, Norm.FRACAREA)
    expected = generate(coarse, finer, Scheme(Method.CONSERVATIVE, Norm.FRACAREA))
    assert same(got, expected, 0.0)
    assert np.array_equal(got.frac_target, expected.frac_target)


def test_an_esmpy_that_does_not_start_is_told(monkeypatch, coarse, finer):
    monkeypatch.setitem(sys.modules, "esmpy", None)
    with pytest.raises(SpecError, match=r'esmpy is installed but broken.*backend="native"'):
        esmf.in_process(coarse, finer, Method.BILINEAR, Norm.FRACAREA)


@needs_esmpy
@pytest.mark.shared
@pytest.mark.parametrize("case", CASES)
def test_esmpy_makes_the_weights_of_its_files(shared, case):
    content = read_map(shared / "reference" / "esmf_weights" / f"{case}.nc")
    norm = Norm.FRACAREA if "fracarea" in case else Norm.DSTAREA
    made = esmf.in_process(content.source, content.target, CASES[case], norm)
    assert same(made, content.weights, 1e-14)
    assert np.abs(made.frac_target - content.weights.frac_target).max() <= 1e-14


@needs_esmpy
def test_a_child_makes_the_same_weights(coarse, finer):
    here = esmf.in_process(coarse, finer, Method.CONSERVATIVE, Norm.FRACAREA)
    there = esmf.in_child(coarse, finer, Method.CONSERVATIVE, Norm.FRACAREA)
    assert same(here, there, 0.0)


@needs_esmpy
@pytest.mark.parametrize("method", ["conservative", "bilinear"])
def test_both_backends_agree_on_grids_of_our_own(coarse, finer, box, rotated, method):
    for source, target in ((coarse, finer), (finer, coarse), (rotated, box)):
        ours = Regridder.build(source, target, method, backend="native")
        theirs = Regridder.build(source, target, method, backend="esmpy")
        assert theirs.backend == "esmpy"
        assert np.abs(ours.weights - theirs.weights).max() <= 1e-10


@needs_esmpy
def test_a_mesh_is_regridded_by_both_alike():
    mesh = Grid.mesh([0, 4, 4, 0, 8], [0, 0, 4, 4, 2], [[0, 1, 2, 3], [1, 4, 2, -1]])
    target = Grid.latlon([1.0, 2.0, 3.0], [1.0, 3.0, 5.0], mask=np.eye(3) == 0)
    ours = generate(mesh, target, Scheme(Method.CONSERVATIVE, Norm.DSTAREA))
    theirs = esmf.in_process(mesh, target, Method.CONSERVATIVE, Norm.DSTAREA)
    assert np.abs(dense(ours) - dense(theirs)).max() <= 1e-12
