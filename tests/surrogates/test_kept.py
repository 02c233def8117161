"""Samples are made once, kept under a key, and made again when anything that they depend on changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.errors import DataError
from tradewind.surrogates.kept import kept_samples


@pytest.fixture
def maker(draw):
    """Return what makes two sets, and counts how often."""

    class Maker:
        asked = 0

        def __call__(self):
            self.asked += 1
            return {"train": draw(4, seed=1), "test": draw(2, seed=2)}

    return Maker()


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name].target, b[name].target)
        assert torch.equal(a[name].windows.x, b[name].windows.x)
        assert torch.equal(a[name].windows.latitude, b[name].windows.latitude)


def test_without_a_file_they_are_made_every_time(maker):
    kept_samples(None, "key", maker)
    kept_samples(None, "key", maker)
    assert maker.asked == 2


def test_with_a_file_they_are_made_once(maker, tmp_path):
    path = tmp_path / "samples.npz"
    first = kept_samples(path, "key", maker)
    again = kept_samples(path, "key", maker)
    assert maker.asked == 1
    same(again, first)
    assert [p.name for p in tmp_path.iterdir()] == ["samples.npz"]


def test_another_key_makes_them_anew(maker, tmp_path):
    path = tmp_path / "samples.npz"
    kept_samples(path, "key", maker)
    kept_samples(path, "other", maker)
    assert maker.asked == 2
    kept_samples(path, "other", maker)
    assert maker.asked == 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "something else", "without a key"])
def test_a_file_that_cannot_be_read_is_replaced(maker, tmp_path, damage):
    path = tmp_path / "samples.npz"
    first = kept_samples(path, "key", maker)
    content = path.read_bytes()
    path.write_bytes({"truncated": content[:-200], "empty": b""}.get(damage, b"no archive at all"))
    if damage == "without a key":
        np.savez(path, x=np.zeros(3))
    same(kept_samples(path, "key", maker), first)
    assert maker.asked == 2
    kept_samples(path, "key", maker)
    assert maker.asked == 2


def test_a_folder_that_is_not_there_is_named(maker, tmp_path):
    with pytest.raises(DataError, match=r"nowhere/samples\.npz: samples cannot be kept: No such file"):
        kept_samples(tmp_path / "nowhere" / "samples.npz", "key", maker)


def test_a_write_that_fails_leaves_nothing(maker, tmp_path, monkeypatch):
    def full(*arrays, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match="No space left on device"):
        kept_samples(tmp_path / "samples.npz", "key", maker)
    assert list(tmp_path.iterdir()) == []
