"""Who makes the weights, and the cache: found again, never half written, damaged entries rebuilt."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.parallel import Serial
from tradewind.couplers.regrid import backends
from tradewind.couplers.regrid.backends import (
    ESMF_WORDS,
    Backend,
    Recipe,
    recipe,
    recipe_of_file,
    scheme_of,
    version,
)
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import Creep, InverseDistance, NearestSource, PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Norm, Scheme
from tradewind.errors import DataError, GridError, SpecError

HOW = Recipe(Scheme(Method.CONSERVATIVE, Norm.FRACAREA), Backend.NATIVE)


def build(source, target, cache: Path, **options) -> Regridder:
    return Regridder.build(source, target, backend="native", cache=cache, **options)


@pytest.fixture
def without_esmpy(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)


@pytest.fixture
def with_esmpy(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: importlib.util.find_spec("numpy"))


def test_auto_is_native_without_esmpy(without_esmpy):
    assert recipe(Scheme(Method.BILINEAR), "auto", Serial()).backend is Backend.NATIVE


def test_auto_is_esmpy_where_it_is_installed(with_esmpy):
    assert recipe(Scheme(Method.BILINEAR), "auto", Serial()).backend is Backend.ESMPY


def test_native_stays_native_where_esmpy_is_installed(with_esmpy):
    assert recipe(Scheme(Method.BILINEAR), "native", Serial()).backend is Backend.NATIVE


def test_esmpy_that_is_not_installed_is_told_with_a_way_out(without_esmpy):
    with pytest.raises(SpecError, match=r'esmpy is not installed.*conda-forge.*backend="native"'):
        recipe(Scheme(Method.BILINEAR), "esmpy", Serial())


POLES = [Poles(), *(Poles(kind) for kind in PoleKind), Poles(PoleKind.NPNTAVG, 5)]
AFAR = [None, NearestSource(), InverseDistance(), InverseDistance(3, 1 / 3), Creep(), Creep(7)]


@pytest.mark.parametrize("poles", POLES, ids=str)
@pytest.mark.parametrize("afar", AFAR, ids=str)
def test_a_scheme_is_read_back_from_its_text(poles, afar):
    scheme = Scheme(Method.BILINEAR, poles=poles, extrapolation=afar)
    assert scheme_of(str(scheme)) == scheme


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("method", [Method.CONSERVATIVE, Method.CONSERVATIVE_2ND])
def test_a_conservative_scheme_is_read_back_with_its_norm(method, norm):
    assert scheme_of(str(Scheme(method, norm))) == Scheme(method, norm)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cubic",
        "bilinear, poles somewhere",
        "bilinear, extrapolated by magic(1)",
        "bilinear, extrapolated by creep(0)",
    ],
)
def test_a_text_that_is_no_scheme_is_refused(text):
    with pytest.raises(DataError, match="is no scheme of regridding"):
        scheme_of(text)


@pytest.mark.parametrize("method", list(Method))
def test_the_recipe_of_a_file_of_ours_is_ours(method):
    how = Recipe(Scheme(method, Norm.DSTAREA, Poles(PoleKind.NONE)), Backend.NATIVE)
    assert recipe_of_file(how.attributes()) == Recipe(how.scheme, Backend.FILE)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize(("word", "norm"), [("destarea", Norm.DSTAREA), ("fracarea", Norm.FRACAREA)])
def test_esmf_regrid_method_is_right_where_map_method_is_not(method, word, norm):
    said = {
        "map_method": "Bilinear remapping",
        "ESMF_regrid_method": ESMF_WORDS[method],
        "normalization": word,
    }
    assert recipe_of_file(said) == Recipe(Scheme(method, norm), Backend.FILE)


def test_a_file_of_scrip_has_a_map_method_only():
    said = {"map_method": "Conservative remapping", "normalization": "fracarea"}
    assert recipe_of_file(said).scheme == Scheme(Method.CONSERVATIVE, Norm.FRACAREA)


def test_our_own_weights_have_no_other_version():
    assert version(Backend.NATIVE) == ""


def test_the_version_of_esmpy_is_read_without_importing_it(monkeypatch):
    monkeypatch.setattr(backends, "installed", {"esmpy": "8.9.0"}.__getitem__)
    assert version(Backend.ESMPY) == "8.9.0"


def test_an_esmpy_without_metadata_has_an_unknown_version(monkeypatch):
    def absent(name):
        raise backends.PackageNotFoundError(name)

    monkeypatch.setattr(backends, "installed", absent)
    assert version(Backend.ESMPY) == "unknown"


def test_a_fault_of_one_grid_names_the_other_as_well(coarse):
    bare = Grid.curvilinear(*np.meshgrid([0.0, 1.0, 2.0], [0.0, 1.0]))
    with pytest.raises(GridError) as told:
        Regridder.build(coarse, bare, "conservative", backend="native")
    assert repr(coarse) in str(told.value)
    assert repr(bare) in str(told.value)


@pytest.mark.parametrize("method", [Method.CONSERVATIVE, Method.CONSERVATIVE_2ND])
@pytest.mark.parametrize("points_first", [False, True])
def test_conservative_with_points_is_refused_with_a_way_out(coarse, method, points_first):
    pair = (Grid.points([1.0], [2.0]), coarse)
    with pytest.raises(
        GridError, match=r"points grid 1 .*have no area.*footprints as polygons, Grid.mesh"
    ) as told:
        backends.refuse_unfit(*(pair if points_first else pair[::-1]), Scheme(method))
    assert repr(coarse) in str(told.value)


@pytest.mark.parametrize("method", [Method.BILINEAR, Method.PATCH])
def test_points_cannot_be_interpolated_between(coarse, method):
    with pytest.raises(GridError, match=r"source points have no neighbours.*nearest_s2d"):
        backends.refuse_unfit(Grid.points([1.0], [2.0]), coarse, Scheme(method))


def test_points_are_targets_of_bilinear(coarse):
    backends.refuse_unfit(coarse, Grid.points([1.0], [2.0]), Scheme(Method.BILINEAR))


def test_poles_of_conservative_weights_are_refused(coarse, finer):
    with pytest.raises(SpecError, match="conservative with poles allavg"):
        backends.refuse_unfit(coarse, finer, Scheme(poles=Poles(PoleKind.ALLAVG)))


@pytest.mark.parametrize("backend", ["native", "esmpy"])
def test_both_backends_refuse_what_cannot_be(with_esmpy, coarse, backend):
    with pytest.raises(GridError, match="footprints as polygons"):
        Regridder.build(coarse, Grid.points([1.0], [2.0]), "conservative", backend=backend)
