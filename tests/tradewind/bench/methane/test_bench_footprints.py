"""The benchmark of footprints: what is compared with what, on a few hours."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.bench.methane import footprints as bench
from tradewind.surrogates.footprints.observations import Footprints, Hours, Window

KEYS = {
    "footprint_r2_blocks",
    "footprint_r2_blocks_trees",
    "footprint_r2_runs",
    "footprint_r2_runs_trees",
}


class Knowing:
    """Tells what it was told, at a constant distance from the truth."""

    def __init__(self, footprints: Footprints, off: float) -> None:
        self.told = dict(zip(footprints.hours.time.tolist(), footprints.values + off, strict=True))

    def tell(self, hours, window, known=None):
        return np.stack([self.told[time] for time in hours.time.tolist()])


def small(count: int = 50, tracers: tuple[str, ...] = ("inert", "inert")) -> Footprints:
    draw = np.random.default_rng(0)
    number = {
        name: np.full(count, value)
        for name, value in {
            "latitude": 0.0, "longitude": 0.0, "height": 10.0, "wind_speed": 5.0, "wind_from": 90.0,
            "mixing_height": 500.0, "temperature": 5.0, "pressure": 1000.0,
        }.items()
    }  # fmt: skip
    run = np.arange(count) * len(tracers) // count
    hours = Hours(np.arange(float(count)), run, np.array(tracers)[run], **number)
    return Footprints(hours, Window(np.arange(3.0), np.arange(3.0)), draw.random((count, 2, 2)))


def silent(name, length):
    return lambda: None


def test_without_data_there_are_no_figures(monkeypatch):
    monkeypatch.delenv(bench.FILE, raising=False)
    monkeypatch.delenv(bench.SHARED, raising=False)
    assert bench.figures(silent) == dict.fromkeys(KEYS)


def test_another_file_may_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv(bench.SHARED, str(tmp_path))
    assert bench.data_file() is None
    monkeypatch.setenv(bench.FILE, str(tmp_path / "mine.nc"))
    assert bench.data_file() == tmp_path / "mine.nc"


def test_the_score_is_of_all_that_was_told_together():
    footprints = small()
    splits = bench.hold_outs(footprints)["blocks"]
    found = bench.scored(footprints, splits, lambda learnt, known: Knowing(footprints, 0.1))
    spread = ((footprints.values - footprints.values.mean()) ** 2).mean()
    assert found["r2"] == pytest.approx(1 - 0.1**2 / spread)
    assert found["r2_inert"] == found["r2"]


def test_nobody_is_taught_what_is_held_out():
    footprints, taught = small(), []

    def school(learnt, known):
        taught.append(set(learnt.hours.time.tolist()))
        return Knowing(footprints, 0.0)

    for splits in bench.hold_outs(footprints).values():
        taught.clear()
        bench.scored(footprints, splits, school)
        for (_, held), seen in zip(splits, taught, strict=True):
            assert not seen & set(footprints.hours.time[held].tolist())


def test_runs_that_cannot_be_told_are_passed_over():
    assert "runs" not in bench.hold_outs(small(50, ("inert", "radon-222")))
    assert set(bench.hold_outs(small(30, ("inert",)))) == set()


def test_trees_are_taken_at_their_better_scale():
    found = {"r2_trees_plain": 0.4, "r2_trees_log": 0.6, "r2": 0.5}
    assert bench.better_trees(found, "r2_trees") == 0.6
    assert bench.better_trees(found, "r2") == 0.5
    assert bench.better_trees({}, "r2") is None


@pytest.mark.shared
def test_copies_leak_where_single_hours_are_held_out(shared):
    """As known of these data: about .82 on shuffled hours, near nothing on blocks."""
    footprints = Footprints.read(shared / "data" / "name_footprints.nc")
    splits = bench.hold_outs(footprints)["blocks"]
    blocks = bench.scored(footprints, splits, bench.schools()["_copied"])["r2"]
    assert bench.leak(footprints) == pytest.approx(0.84, abs=0.03)
    assert blocks < 0.3


def test_a_handful_of_hours_shows_no_leak():
    assert bench.leak(small(3)) is None
