"""The cache of weights: found again, never half written, damaged entries rebuilt, a full disk survived."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch

from tradewind.couplers.grids import Grid
from tradewind.couplers.ranks.layout import Layout
from tradewind.couplers.regrid import backends, cache
from tradewind.couplers.regrid.backends import Backend, Recipe
from tradewind.couplers.regrid.cache import key
from tradewind.couplers.regrid.regridder import Regridder
from tradewind.couplers.regrid.scheme import PoleKind, Poles
from tradewind.couplers.regrid.weights import Method, Norm, Scheme

HOW = Recipe(Scheme(Method.CONSERVATIVE, Norm.FRACAREA), Backend.NATIVE)
POLES = (Poles(PoleKind.ALLAVG), Poles(PoleKind.NONE), Poles(PoleKind.NPNTAVG, 2), Poles(PoleKind.NPNTAVG, 3))


def build(source, target, cache: Path, **options) -> Regridder:
    return Regridder.build(source, target, backend="native", cache=cache, **options)


def test_the_cache_is_one_file_with_the_key_as_its_name(tmp_path, coarse, finer):
    build(coarse, finer, tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [
        f"{key(Layout(coarse), Layout(finer), HOW)}.nc"
    ]


def test_cached_weights_give_the_same_bits(tmp_path, coarse, finer):
    fresh, kept = build(coarse, finer, tmp_path), build(coarse, finer, tmp_path)
    x = fresh.domain.random(1, (2,))
    assert torch.equal(kept(x), fresh(x))
    assert torch.equal(kept.frac_target, fresh.frac_target)
    assert kept.domain == fresh.domain


def test_the_second_time_nothing_is_made(tmp_path, coarse, finer, monkeypatch):
    build(coarse, finer, tmp_path)
    monkeypatch.setattr(backends, "generate", None)
    assert build(coarse, finer, tmp_path).backend is Backend.NATIVE


def test_the_key_depends_on_everything_that_makes_the_weights(coarse, finer, box):
    masked = Grid.latlon(np.arange(-75.0, 90, 30), np.arange(15.0, 360, 30), mask=np.eye(6, 12))
    a, b = Layout(coarse), Layout(finer)
    keys = [
        key(a, b, HOW),
        key(b, a, HOW),
        key(a, Layout(box), HOW),
        key(Layout(masked), b, HOW),
        key(a, b, Recipe(Scheme(Method.BILINEAR, Norm.FRACAREA), Backend.NATIVE)),
        key(a, b, Recipe(Scheme(Method.CONSERVATIVE, Norm.DSTAREA), Backend.NATIVE)),
        key(a, b, Recipe(Scheme(Method.CONSERVATIVE, Norm.FRACAREA), Backend.ESMPY)),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_changes_with_the_version_of_the_generators(coarse, finer, monkeypatch):
    before = key(Layout(coarse), Layout(finer), HOW)
    monkeypatch.setattr(cache, "VERSION", "next")
    assert key(Layout(coarse), Layout(finer), HOW) != before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change_a_weight(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as ds:
        ds["S"][0] = 0.123


def move_an_entry(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as ds:
        ds["col"][0] = 10_000


def drop_the_digest(path: Path) -> None:
    with netCDF4.Dataset(path, "a") as ds:
        ds.delncattr("tradewind_digest")


@pytest.mark.parametrize("damage", [truncate, empty, change_a_weight, move_an_entry, drop_the_digest])
def test_a_damaged_entry_is_rebuilt_with_a_notice(tmp_path, coarse, finer, damage):
    sound = build(coarse, finer, tmp_path)
    (path,) = tmp_path.glob("*.nc")
    damage(path)
    with pytest.warns(UserWarning, match=f"cached weights .*{path.name} are rebuilt"):
        rebuilt = build(coarse, finer, tmp_path)
    x = sound.domain.random(1)
    assert torch.equal(rebuilt(x), sound(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(coarse, finer, tmp_path)


def full(path, weights, attributes):
    path.write_text("half")
    raise OSError("disk full")


def test_a_full_disk_costs_the_entry_but_not_the_weights(tmp_path, coarse, finer, monkeypatch):
    sound = build(coarse, finer, tmp_path / "sound")
    monkeypatch.setattr(cache.mapfile, "write_weights", full)
    with pytest.warns(UserWarning, match="weights are not kept in .*disk full"):
        made = build(coarse, finer, tmp_path / "full")
    x = sound.domain.random(1)
    assert torch.equal(made(x), sound(x))
    assert not list((tmp_path / "full").iterdir())


def test_a_cache_that_is_a_file_is_named_and_done_without(tmp_path, coarse, finer):
    (tmp_path / "cache").write_text("")
    with pytest.warns(UserWarning, match="weights are not kept in .*cache"):
        build(coarse, finer, tmp_path / "cache")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_someone_else_is_done_without(tmp_path, coarse, finer):
    tmp_path.chmod(0o500)
    with pytest.warns(UserWarning, match="weights are not kept"):
        build(coarse, finer, tmp_path)
    tmp_path.chmod(0o700)


def test_a_kept_entry_that_cannot_be_read_is_made_anew(tmp_path, coarse, finer):
    (tmp_path / f"{key(Layout(coarse), Layout(finer), HOW)}.nc").mkdir()
    with pytest.warns(UserWarning, match="weights are not kept"):
        build(coarse, finer, tmp_path)


def test_an_entry_under_another_name_is_not_believed(tmp_path, coarse, finer):
    build(coarse, finer, tmp_path)
    (path,) = tmp_path.glob("*.nc")
    path.rename(tmp_path / f"{key(Layout(finer), Layout(coarse), HOW)}.nc")
    with pytest.warns(UserWarning, match="does not match its digest"):
        build(finer, coarse, tmp_path)


def test_two_that_write_at_once_leave_one_sound_entry(tmp_path, coarse, finer, monkeypatch):
    written = cache.mapfile.write_weights

    def meanwhile(path, weights, attributes):
        monkeypatch.setattr(cache.mapfile, "write_weights", written)
        build(coarse, finer, tmp_path)  # another run that comes in between
        written(path, weights, attributes)

    monkeypatch.setattr(cache.mapfile, "write_weights", meanwhile)
    build(coarse, finer, tmp_path)
    assert [p.suffix for p in tmp_path.iterdir()] == [".nc"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build(coarse, finer, tmp_path)


def test_the_key_names_the_version_of_esmpy(coarse, finer, monkeypatch):
    how = Recipe(HOW.scheme, Backend.ESMPY)
    before = key(Layout(coarse), Layout(finer), how)
    monkeypatch.setattr(backends, "version", lambda backend: "99")
    assert key(Layout(coarse), Layout(finer), how) != before


def test_the_key_names_everything_in_the_scheme(coarse, finer):
    a, b = Layout(coarse), Layout(finer)
    schemes = [Scheme(Method.BILINEAR), *(Scheme(Method.BILINEAR, poles=p) for p in POLES)]
    assert len({key(a, b, Recipe(s, Backend.NATIVE)) for s in schemes}) == len(schemes)


def test_an_entry_holds_no_grids(tmp_path, coarse, finer):
    build(coarse, finer, tmp_path)
    (path,) = tmp_path.glob("*.nc")
    with netCDF4.Dataset(path) as ds:
        assert set(ds.variables) == {"row", "col", "S", "frac_b"}
