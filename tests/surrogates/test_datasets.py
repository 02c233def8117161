"""Samples: what is let in, what a mirror is, and how files are read."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tradewind.errors import DataError, SpecError
from tradewind.surrogates.datasets import (
    Samples,
    Windows,
    across_the_equator,
    mirrored,
    read_samples,
)


def write(path, samples, **changes):
    arrays = {
        "x": samples.windows.x.numpy(),
        "latitude": samples.windows.latitude.numpy(),
        "target": samples.target.numpy(),
        "split": np.array(["train"] * (len(samples) - 1) + ["test"]),
    }
    arrays.update(changes)
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    return path


def test_windows_of_a_wrong_shape_are_refused():
    with pytest.raises(SpecError, match="windows of shape"):
        Windows(torch.zeros(2, 13, 21, 21), torch.zeros(2))


def test_targets_of_a_wrong_shape_are_refused(draw):
    with pytest.raises(DataError, match=r"targets of shape \(2, 41, 41\), expected \(3, 41, 41\)"):
        Samples(draw(3).windows, torch.zeros(2, 41, 41))


@pytest.mark.parametrize("part", ["x", "latitude", "target"])
def test_a_nan_is_refused_with_its_place(draw, part):
    good = draw(3)
    arrays = {
        "x": good.windows.x.clone(),
        "latitude": good.windows.latitude.clone(),
        "target": good.target.clone(),
    }
    arrays[part].view(3, -1)[2, 0] = torch.nan
    with pytest.raises(DataError, match=f"{part}: a value of sample 2 is not finite"):
        Samples(Windows(arrays["x"], arrays["latitude"]), arrays["target"])


def test_a_negative_fraction_is_refused(draw):
    good = draw(2)
    with pytest.raises(DataError, match="negative"):
        Samples(good.windows, good.target - 0.1)


def test_more_mass_than_was_emitted_is_refused(draw):
    good = draw(2)
    with pytest.raises(DataError, match="more mass than was emitted"):
        Samples(good.windows, 2.0 * good.target)


def test_an_empty_set_is_allowed(draw):
    assert len(draw(2).select(torch.tensor([], dtype=torch.long))) == 0


def test_selection_keeps_weather_and_answer_together(draw):
    samples = draw(4)
    some = samples.select(torch.tensor([3, 1]))
    assert torch.equal(some.target, samples.target[[3, 1]])
    assert torch.equal(some.windows.x, samples.windows.x[[3, 1]])
    assert torch.equal(some.windows.latitude, samples.windows.latitude[[3, 1]])


def test_mirroring_moves_what_was_in_the_west_to_the_east(draw):
    samples = draw(1)
    turned = mirrored(samples, torch.tensor([True]))
    assert torch.equal(turned.target[0, :, 0], samples.target[0, :, 40])
    assert torch.equal(turned.windows.x[0, 6, :, 3], -samples.windows.x[0, 6, :, 37])  # eastward wind
    assert torch.equal(turned.windows.x[0, 7, :, 3], samples.windows.x[0, 7, :, 37])  # northward wind
    assert torch.equal(turned.windows.x[0, 12, :, 3], samples.windows.x[0, 12, :, 37])  # pressure


@pytest.mark.parametrize("turn", [mirrored, across_the_equator])
def test_mirroring_twice_changes_nothing(draw, turn):
    samples, all_of_them = draw(3), torch.tensor([True] * 3)
    again = turn(turn(samples, all_of_them), all_of_them)
    assert again.digest() == samples.digest()


def test_crossing_the_equator_moves_what_was_in_the_south_to_the_north(draw):
    samples = draw(1)
    turned = across_the_equator(samples, torch.tensor([True]))
    assert torch.equal(turned.target[0, 0], samples.target[0, 40])
    assert torch.equal(turned.windows.x[0, 6, 3], samples.windows.x[0, 6, 37])  # eastward wind
    assert torch.equal(turned.windows.x[0, 7, 3], -samples.windows.x[0, 7, 37])  # northward wind
    assert torch.equal(turned.windows.latitude, -samples.windows.latitude)


@pytest.mark.parametrize("turn", [mirrored, across_the_equator])
def test_every_wind_component_is_turned_by_exactly_one_mirror(draw, turn):
    samples = draw(1)
    before = samples.windows.x.mean(dim=(2, 3))[0]
    after = turn(samples, torch.tensor([True])).windows.x.mean(dim=(2, 3))[0]
    start = 0 if turn is mirrored else 1
    expected = [-1.0 if k < 12 and k % 2 == start else 1.0 for k in range(13)]
    torch.testing.assert_close(after / before, torch.tensor(expected), rtol=1e-3, atol=0.0)


def test_only_the_masked_samples_are_mirrored(draw):
    samples = draw(2)
    turned = mirrored(samples, torch.tensor([False, True]))
    assert torch.equal(turned.target[0], samples.target[0])
    assert torch.equal(turned.target[1], samples.target[1].flip(-1))


def test_the_digest_sees_one_changed_value(draw):
    samples = draw(2)
    changed = samples.windows.x.clone()
    changed[1, 4, 7, 7] += 0.5
    assert Samples(Windows(changed, samples.windows.latitude), samples.target).digest() != samples.digest()


def test_a_file_is_read_by_its_parts(draw, tmp_path):
    samples = draw(3)
    parts = read_samples(write(tmp_path / "set.npz", samples))
    assert {name: len(part) for name, part in parts.items()} == {"train": 2, "test": 1}
    assert torch.equal(parts["test"].target[0], samples.target[2])


def test_numbered_parts_are_named_by_their_number(draw, tmp_path):
    parts = read_samples(write(tmp_path / "set.npz", draw(3), split=np.array([0, 1, 1])))
    assert {name: len(part) for name, part in parts.items()} == {"0": 1, "1": 2}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.npz: cannot be read"):
        read_samples(tmp_path / "absent.npz")


def test_a_missing_array_is_named(draw, tmp_path):
    with pytest.raises(DataError, match="latitude"):
        read_samples(write(tmp_path / "set.npz", draw(2), latitude=None))


def test_a_truncated_file_is_refused(draw, tmp_path):
    path = write(tmp_path / "set.npz", draw(2))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DataError, match="cannot be read"):
        read_samples(path)


def test_a_pickle_is_never_opened(draw, tmp_path):
    path = write(tmp_path / "set.npz", draw(2), split=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(DataError, match="cannot be read"):
        read_samples(path)


def test_parts_of_another_length_are_refused(draw, tmp_path):
    path = write(tmp_path / "set.npz", draw(3), split=np.array(["train"]))
    with pytest.raises(DataError, match="1 entries of split for 3 samples"):
        read_samples(path)
